import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";

import { type Chosen, sha256 } from "./files";
import type { Row } from "./rows";
import { upload } from "./upload";

type Service = Parameters<typeof upload>[0];

function chosen(...names: string[]): Chosen[] {
  return names.map((name) => {
    const file = new File([name], name);
    // jsdom's files cannot be read this way.
    file.arrayBuffer = () => Promise.resolve(new TextEncoder().encode(name).buffer);
    return { file, path: name };
  });
}

function sent(files: Chosen[], kept: Map<number, string>, add: (index: number) => void) {
  const indexes: number[] = [];
  const stages = new Map<number, Row["stage"]>();
  const service = {
    addBatchItem: (request: { index: number }) => {
      indexes.push(request.index);
      try {
        add(request.index);
      } catch (error) {
        return Promise.reject(ConnectError.from(error));
      }
      return Promise.resolve({});
    },
  } as unknown as Service;
  const waits: boolean[] = [];
  const done = upload(service, {
    batchId: "bat_1",
    files,
    kept,
    signal: new AbortController().signal,
    onRow: (row) => stages.set(row.index, row.stage),
    onWaiting: (waiting) => waits.push(waiting),
  });
  return { done, indexes, stages, waits };
}

describe("an upload", () => {
  it("passes over what the server has", async () => {
    vi.stubGlobal("isSecureContext", true);
    const hash = await sha256(new TextEncoder().encode("b.jpg"));
    const run = sent(chosen("a.jpg", "b.jpg", "c.jpg"), new Map([[1, hash]]), () => undefined);
    await run.done;
    expect(run.indexes.sort()).toEqual([0, 2]);
    expect([...run.stages.values()]).toEqual(["queued", "queued", "queued"]);
    vi.unstubAllGlobals();
  });

  it("waits for a server that is away, and says so", async () => {
    vi.useFakeTimers();
    let away = 2;
    const run = sent(chosen("a.jpg"), new Map(), () => {
      if (away-- > 0) throw new ConnectError("away", Code.Unavailable);
    });
    await vi.runAllTimersAsync();
    await run.done;
    vi.useRealTimers();
    expect(run.indexes).toEqual([0, 0, 0]);
    expect(run.waits).toEqual([true, true, false]);
    expect(run.stages.get(0)).toBe("queued");
  });

  it("ends with what is not the fault of one image", async () => {
    const run = sent(chosen("a.jpg"), new Map(), () => {
      throw new ConnectError("started", Code.FailedPrecondition);
    });
    await expect(run.done).rejects.toThrow("started");
  });
});
