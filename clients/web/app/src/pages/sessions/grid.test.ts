import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type SessionsEvent, SessionsEventSchema } from "@protos/vidence/capture/v1/session_event_pb";
import { SessionState } from "@protos/vidence/capture/v1/session_pb";
import { StreamControlSchema } from "@protos/vidence/stream/v1/stream_control_pb";
import type { WatchResponse } from "@vidence/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { SessionGrid } from "./grid";

type Message = WatchResponse<SessionsEvent>;

function connected(cursor: string): Message {
  const control = create(StreamControlSchema, {
    control: { case: "connected", value: { cursor, heartbeatPeriod: { seconds: 10n } } },
  });
  return { events: [], control, cursor, previousCursor: cursor };
}

function told(previousCursor: string, cursor: string, ...payloads: SessionsEvent["payload"][]): Message {
  const events = payloads.map((payload) => create(SessionsEventSchema, { payload }));
  return { events, cursor, previousCursor };
}

function one(
  kind: "snapshot" | "changed",
  id: string,
  state = SessionState.SEARCHING,
): SessionsEvent["payload"] {
  return create(SessionsEventSchema, { payload: { case: kind, value: { session: { id, state } } } }).payload;
}

const COMPLETE = create(SessionsEventSchema, {
  payload: { case: "snapshotComplete", value: {} },
}).payload;
const AWAY = new ConnectError("away", Code.Unavailable);

function gridOf(asked: string[], ...scripts: (Message | Error)[][]): SessionGrid {
  return new SessionGrid(async function* (cursor, signal) {
    asked.push(cursor);
    for (const step of scripts.shift() ?? []) {
      await Promise.resolve();
      if (step instanceof Error) throw step;
      yield step;
    }
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reject(AWAY);
      });
    });
  });
}

function ids(grid: SessionGrid): string[] {
  return grid.sessions.value.map((session) => session.id);
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the grid of sessions", () => {
  it("begins with a snapshot and goes on with changes, the newest first", async () => {
    const grid = gridOf(
      [],
      [
        connected("0"),
        told("0", "2", one("snapshot", "ses_1"), COMPLETE),
        told("2", "4", one("changed", "ses_2"), one("changed", "ses_1", SessionState.COMPLETED)),
      ],
    );
    grid.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(ids(grid)).toEqual(["ses_2", "ses_1"]);
    expect(grid.sessions.value[1]?.state).toBe(SessionState.COMPLETED);
    grid.close();
  });

  it("resumes after the last change, without another snapshot", async () => {
    const asked: string[] = [];
    const grid = gridOf(
      asked,
      [connected("0"), told("0", "2", one("snapshot", "ses_1"), COMPLETE), AWAY],
      [connected("2"), told("2", "3", one("changed", "ses_2"))],
    );
    grid.start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual(["", "2"]);
    expect(ids(grid)).toEqual(["ses_2", "ses_1"]);
    grid.close();
  });

  it("asks for a new snapshot where the first one broke off", async () => {
    const asked: string[] = [];
    const grid = gridOf(
      asked,
      [connected("0"), told("0", "1", one("snapshot", "ses_1")), AWAY],
      [connected("5"), told("5", "7", one("snapshot", "ses_2"), COMPLETE)],
    );
    grid.start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual(["", ""]);
    expect(ids(grid)).toEqual(["ses_2"]);
    grid.close();
  });
});
