import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@protos/google/rpc/error_details_pb";
import { describe, expect, it } from "vitest";

import { pump } from "./pump";

const PICTURE = new Uint8Array([1]);

function refusal(reason: string, code: Code): ConnectError {
  const info = create(ErrorInfoSchema, { domain: "vidence", reason });
  const error = new ConnectError(reason, code);
  error.details = [{ type: "google.rpc.ErrorInfo", value: toBinary(ErrorInfoSchema, info) }];
  return error;
}

describe("a pump of frames", () => {
  it("asks for the newest picture only when the one before was answered", async () => {
    const stop = new AbortController();
    let waiting = 0;
    let taken = 0;
    const numbers: number[] = [];
    await pump(
      {
        next: () => {
          taken += 1;
          expect(waiting).toBe(0);
          return Promise.resolve(PICTURE);
        },
        push: async (_, number) => {
          waiting += 1;
          numbers.push(number);
          await new Promise((resolve) => setTimeout(resolve, 1));
          waiting -= 1;
          if (number === 4) stop.abort();
        },
        wanted: () => true,
      },
      stop.signal,
    );
    expect(numbers).toEqual([1, 2, 3, 4]);
    expect(taken).toBe(4);
  });

  it("gives times that rise, also within a millisecond", async () => {
    const stop = new AbortController();
    const times: number[] = [];
    await pump(
      {
        next: () => Promise.resolve(PICTURE),
        push: (_, number, time) => {
          times.push(time.getTime());
          if (number === 50) stop.abort();
          return Promise.resolve();
        },
        wanted: () => true,
      },
      stop.signal,
    );
    expect(times).toEqual([...new Set(times)].sort((one, other) => one - other));
    expect(times).toHaveLength(50);
  });

  it("ends when the session has ended, and goes on after a refused frame or a server that was away", async () => {
    const answers = [
      refusal("IMAGE_CORRUPT", Code.InvalidArgument),
      new ConnectError("away", Code.Unavailable),
      undefined,
      refusal("SESSION_ENDED", Code.FailedPrecondition),
    ];
    const ends: string[] = [];
    let pushed = 0;
    await pump(
      {
        next: () => Promise.resolve(PICTURE),
        push: () => {
          const error = answers[pushed];
          pushed += 1;
          return error ? Promise.reject(error) : Promise.resolve();
        },
        wanted: () => true,
        onEnd: (reason) => ends.push(reason),
        pauseMs: 1,
      },
      new AbortController().signal,
    );
    expect(pushed).toBe(4);
    expect(ends).toEqual(["SESSION_ENDED"]);
  });

  it("sends nothing while nobody looks", async () => {
    const stop = new AbortController();
    let asked = 0;
    await pump(
      {
        next: () => Promise.reject(new Error("asked for a picture")),
        push: () => Promise.resolve(),
        wanted: () => {
          asked += 1;
          if (asked === 2) stop.abort();
          return false;
        },
      },
      stop.signal,
    );
    expect(asked).toBe(2);
  });
});
