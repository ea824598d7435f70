import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type StreamControl, StreamControlSchema } from "@protos/vidence/stream/v1/stream_control_pb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Watch, type WatchResponse, type WatchState } from "./watch";

interface Told {
  readonly cursor: string;
}
type Step = WatchResponse<Told> | Error | "silence";

const HEARTBEAT = { seconds: 10n, nanos: 0 };

function control(value: NonNullable<StreamControl["control"]>): StreamControl {
  return create(StreamControlSchema, { control: value });
}

function connected(cursor: string): WatchResponse<Told> {
  const opening = create(StreamControlSchema, {
    control: {
      case: "connected",
      value: { connectionId: "con_1", cursor, heartbeatPeriod: HEARTBEAT, retryDelay: { seconds: 3n } },
    },
  });
  return { events: [], control: opening, cursor, previousCursor: cursor };
}

function events(previousCursor: string, ...cursors: string[]): WatchResponse<Told> {
  return {
    events: cursors.map((cursor) => ({ cursor })),
    cursor: cursors.at(-1) ?? previousCursor,
    previousCursor,
  };
}

function disconnected(cursor: string, retry: boolean): WatchResponse<Told> {
  const ending = create(StreamControlSchema, {
    control: { case: "disconnected", value: { cursor, ...(retry ? { retryDelay: { seconds: 1n } } : {}) } },
  });
  return { events: [], control: ending, cursor, previousCursor: cursor };
}

/** Plays one script per connection and keeps what was asked and told. */
class Scene {
  readonly asked: string[] = [];
  readonly told: string[] = [];
  readonly states: WatchState[] = [];
  readonly gaps: string[] = [];
  readonly watch: Watch<Told>;

  constructor(...scripts: Step[][]) {
    this.watch = new Watch<Told>({
      open: (after, signal) => {
        this.asked.push(after);
        return play(scripts.shift() ?? [new ConnectError("no more", Code.NotFound)], signal);
      },
      onEvents: (list) => this.told.push(...list.map((event) => event.cursor)),
      onGap: (gap) => this.gaps.push(`${gap.fromCursor}-${gap.toCursor}`),
      onState: (state) => this.states.push(state),
      random: () => 1,
    });
  }
}

async function* play(script: Step[], signal: AbortSignal): AsyncGenerator<WatchResponse<Told>> {
  for (const step of script) {
    if (step instanceof Error) throw step;
    if (step === "silence") {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reject(new ConnectError("aborted", Code.Unknown));
        });
      });
    } else {
      yield step;
    }
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a watch", () => {
  it("tells events in order and ends with what was watched", async () => {
    const scene = new Scene([
      connected("0"),
      events("0", "1", "2"),
      events("2", "3"),
      disconnected("3", false),
    ]);
    await scene.watch.start();
    expect(scene.told).toEqual(["1", "2", "3"]);
    expect(scene.states).toEqual(["live", "ended"]);
    expect(scene.watch.cursor).toBe("3");
  });

  it("goes on after the last message when the connection breaks", async () => {
    const killed = new ConnectError("network error", Code.Unknown);
    const scene = new Scene(
      [connected("0"), events("0", "1"), killed],
      [connected("1"), events("1", "2"), disconnected("2", false)],
    );
    const done = scene.watch.start();
    await vi.runAllTimersAsync();
    await done;
    expect(scene.asked).toEqual(["", "1"]);
    expect(scene.told).toEqual(["1", "2"]);
    expect(scene.states).toEqual(["live", "lost", "connecting", "live", "ended"]);
  });

  it("comes back when the server shuts down", async () => {
    const scene = new Scene(
      [connected("0"), events("0", "1"), disconnected("1", true)],
      [connected("1"), disconnected("1", false)],
    );
    const done = scene.watch.start();
    await vi.runAllTimersAsync();
    await done;
    expect(scene.asked).toEqual(["", "1"]);
    expect(scene.watch.state).toBe("ended");
  });

  it("calls a silent connection stale, then dead, and opens another", async () => {
    const scene = new Scene([connected("0"), "silence"], [connected("0"), disconnected("0", false)]);
    const done = scene.watch.start();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(scene.watch.state).toBe("stale");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(scene.watch.state).toBe("lost");
    await vi.runAllTimersAsync();
    await done;
    expect(scene.states).toEqual(["live", "stale", "lost", "connecting", "live", "ended"]);
  });

  it("is not silent while messages come, and keeps one timer for all of them", async () => {
    let arrived = (): void => undefined;
    const watch = new Watch<Told>({
      open: async function* () {
        yield connected("0");
        for (;;) {
          await new Promise<void>((resolve) => (arrived = resolve));
          yield events("0");
        }
      },
      onEvents: () => undefined,
    });
    void watch.start();
    for (let message = 0; message < 20; message += 1) {
      await vi.advanceTimersByTimeAsync(9_000);
      arrived();
      await vi.advanceTimersByTimeAsync(0);
      expect(watch.state).toBe("live");
      expect(vi.getTimerCount()).toBe(1);
    }
    await vi.advanceTimersByTimeAsync(16_000);
    expect(watch.state).toBe("stale");
    arrived();
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.state).toBe("live");
    watch.close();
  });

  it("asks by single calls while no stream comes through, and stops when one does", async () => {
    const cut = new ConnectError("cut", Code.Unavailable);
    const scripts: Step[][] = [[cut], [cut], [cut], [cut]];
    const states: WatchState[] = [];
    let asked = 0;
    let away = false;
    const watch = new Watch<Told>({
      open: (_, signal) => play(scripts.shift() ?? [connected("0"), "silence"], signal),
      onEvents: () => undefined,
      onState: (state) => states.push(state),
      ask: async () => {
        asked += 1;
        await Promise.resolve();
        if (away) throw cut;
      },
      random: () => 1,
    });
    void watch.start();
    await vi.advanceTimersByTimeAsync(7_000);
    expect([watch.state, asked]).toEqual(["lost", 0]);
    await vi.advanceTimersByTimeAsync(1_500);
    // Attempts that fail meanwhile are not told: there are answers.
    expect([watch.state, asked]).toEqual(["asking", 1]);
    away = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect([watch.state, asked]).toEqual(["lost", 2]);
    away = false;
    await vi.advanceTimersByTimeAsync(12_000);
    expect(watch.state).toBe("live");
    const whenLive = asked;
    await vi.advanceTimersByTimeAsync(9_000);
    expect(asked).toBe(whenLive);
    watch.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(states.filter((state) => state === "asking").length).toBeGreaterThan(0);
  });

  it("gives the page its turn among messages that have piled up", async () => {
    vi.useRealTimers();
    const piled = Array.from({ length: 20 }, (_, index) => events(String(index), String(index + 1)));
    const script = [connected("0"), ...piled, disconnected("20", false)];
    let told = 0;
    let toldBefore = Infinity;
    const watch = new Watch<Told>({
      open: (_, signal) => play(script, signal),
      onEvents: () => {
        told += 1;
        for (const begin = performance.now(); performance.now() - begin < 5;);
      },
    });
    setTimeout(() => (toldBefore = told), 0);
    await watch.start();
    expect(told).toBe(20);
    expect(toldBefore).toBeLessThan(20);
  });

  it("tells what the server cannot deliver any more", async () => {
    const lost = control({ case: "gap", value: { fromCursor: "0", toCursor: "7", reason: 1 } } as never);
    const gap: WatchResponse<Told> = { events: [], control: lost, cursor: "7", previousCursor: "0" };
    const scene = new Scene([connected("0"), gap, events("7", "8"), disconnected("8", false)]);
    await scene.watch.start();
    expect(scene.gaps).toEqual(["0-7"]);
    expect(scene.told).toEqual(["8"]);
  });

  it("does not pass over a message that is missing: it asks again from where it stands", async () => {
    const scene = new Scene(
      [connected("0"), events("0", "1"), events("2", "3")],
      [connected("1"), events("1", "2", "3"), disconnected("3", false)],
    );
    const done = scene.watch.start();
    await vi.runAllTimersAsync();
    await done;
    expect(scene.told).toEqual(["1", "2", "3"]);
  });

  it("fails at once where trying again cannot help", async () => {
    const scene = new Scene([new ConnectError("no such session", Code.NotFound)]);
    await scene.watch.start();
    expect(scene.states).toEqual(["failed"]);
    expect(scene.asked).toHaveLength(1);
  });

  it("waits longer with each failure, and not at all when the browser comes back online", async () => {
    const away = new ConnectError("away", Code.Unavailable);
    const scene = new Scene([away], [away], [away], [connected("0"), disconnected("0", false)]);
    const done = scene.watch.start();
    await vi.advanceTimersByTimeAsync(1000);
    expect(scene.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1999);
    expect(scene.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(scene.asked).toHaveLength(3);
    globalThis.dispatchEvent(new Event("online"));
    await done;
    expect(scene.asked).toHaveLength(4);
  });

  it("is closed from outside, also while it waits", async () => {
    const scene = new Scene([new ConnectError("away", Code.Unavailable)]);
    const done = scene.watch.start();
    await vi.advanceTimersByTimeAsync(0);
    scene.watch.close();
    await done;
    expect(scene.watch.state).toBe("closed");
    expect(scene.asked).toHaveLength(1);
  });
});
