import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ReviewSchema, Verdict } from "@protos/vidence/review/v1/review_pb";
import {
  type ReviewEvent,
  ReviewEventSchema,
  WatchReviewResponseSchema,
} from "@protos/vidence/review/v1/review_service_pb";
import { StreamControlSchema } from "@protos/vidence/stream/v1/stream_control_pb";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Room } from "./room";

vi.mock("../../api", () => ({ reviews: {} }));

const SUBJECT = "batches/bat_1";

/** A review service that answers what the test says, and keeps what it was asked. */
class Server {
  revision = 0n;
  readonly asked: [string, unknown][] = [];
  readonly refusals: Error[] = [];
  #tell: ((events: ReviewEvent[]) => void) | undefined;

  tell(...events: ReviewEvent[]): void {
    this.#tell?.(events);
  }

  readonly service = {
    getReview: () => Promise.resolve({ review: this.#review(), notes: [], attendants: [], cursor: "c0" }),
    watchReview: (request: unknown) => this.#watch(request),
    claimReview: (request: unknown) => this.#change("claim", request),
    setVerdict: (request: unknown) => this.#change("decide", request),
    addNote: (request: unknown) => this.#change("note", request),
    attendReview: (request: unknown) => {
      this.asked.push(["attend", request]);
      return Promise.resolve({ attendants: [], leaseDuration: { seconds: 30n, nanos: 0 } });
    },
    leaveReview: (request: unknown) => {
      this.asked.push(["leave", request]);
      return Promise.resolve({});
    },
  };

  #review() {
    return create(ReviewSchema, { subject: SUBJECT, revision: this.revision });
  }

  #change(kind: string, request: unknown) {
    this.asked.push([kind, request]);
    const refusal = this.refusals.shift();
    if (refusal) return Promise.reject(refusal);
    this.revision += 1n;
    return Promise.resolve({ review: this.#review() });
  }

  async *#watch(request: unknown) {
    this.asked.push(["watch", request]);
    const value = { cursor: "c0", heartbeatPeriod: { seconds: 300n } };
    const control = create(StreamControlSchema, { control: { case: "connected", value } });
    yield create(WatchReviewResponseSchema, { control, cursor: "c0" });
    for (let number = 1; ; number += 1) {
      const events = await new Promise<ReviewEvent[]>((resolve) => (this.#tell = resolve));
      yield create(WatchReviewResponseSchema, {
        events,
        cursor: `c${number}`,
        previousCursor: `c${number - 1}`,
      });
    }
  }
}

let server: Server;
let room: Room;

beforeEach(async () => {
  vi.useFakeTimers();
  server = new Server();
  room = new Room(SUBJECT, server.service as never);
  await room.open();
  room.enter("Ana");
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  room.close();
  vi.useRealTimers();
});

function noted(revision: bigint, noteId: string): ReviewEvent {
  return create(ReviewEventSchema, {
    payload: {
      case: "noteAdded",
      value: { review: { subject: SUBJECT, revision }, note: { noteId, reviewer: "Ben", text: noteId } },
    },
  });
}

it("follows the review from what it was given, and never goes back", async () => {
  expect(server.asked[0]).toMatchObject(["watch", { start: { case: "afterCursor", value: "c0" } }]);
  server.tell(noted(2n, "two"), noted(1n, "one"), noted(2n, "two"));
  await vi.advanceTimersByTimeAsync(0);
  expect(room.review.value?.revision).toBe(2n);
  expect(room.notes.value.map((note) => note.noteId)).toEqual(["two", "one"]);
});

it("decides on the revision that is shown, and says why nothing happened", async () => {
  server.tell(noted(4n, "four"));
  await vi.advanceTimersByTimeAsync(0);
  server.refusals.push(new ConnectError("changed", Code.Aborted));
  expect(await room.decide(Verdict.APPROVED)).toBe(false);
  expect(server.asked.at(-1)).toMatchObject(["decide", { expectedRevision: 4n, reviewer: "Ana" }]);
  expect(room.refused.value?.code).toBe(Code.Aborted);
  expect(await room.note("look again")).toBe(true);
  expect(room.refused.value).toBeUndefined();
});

it("repeats a note under the same name where the answer was lost", async () => {
  server.refusals.push(new ConnectError("away", Code.Unavailable));
  const sent = room.note("once");
  await vi.advanceTimersByTimeAsync(5000);
  expect(await sent).toBe(true);
  const [first, second] = server.asked.filter(([kind]) => kind === "note").map(([, request]) => request);
  expect(first).toEqual(second);
});

it("says three times per lease that somebody is here, and that nobody is when it is closed", async () => {
  await vi.advanceTimersByTimeAsync(25_000);
  expect(server.asked.filter(([kind]) => kind === "attend")).toHaveLength(3);
  room.close();
  expect(server.asked.at(-1)?.[0]).toBe("leave");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked.filter(([kind]) => kind === "attend")).toHaveLength(3);
});
