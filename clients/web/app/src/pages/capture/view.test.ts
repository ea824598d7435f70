import { create } from "@bufbuild/protobuf";
import {
  type CaptureEvent,
  CaptureEventSchema,
  Challenge,
} from "@protos/vidence/capture/v1/session_event_pb";
import { SessionSchema, SessionState, Target } from "@protos/vidence/capture/v1/session_pb";
import { describe, expect, it } from "vitest";

import { fromSession, looksAtFrames, NOTHING, shown, type View } from "./view";

type Payload = NonNullable<Parameters<typeof create<typeof CaptureEventSchema>>[1]>["payload"];

function event(payload: Payload, target = Target.DOCUMENT_FRONT): CaptureEvent {
  return create(CaptureEventSchema, { target, ...(payload ? { payload } : {}) });
}

function after(...payloads: Payload[]): View {
  return payloads.map((payload) => event(payload)).reduce(shown, NOTHING);
}

function change(old: SessionState, next: SessionState, reason: string): Payload {
  return { case: "stateChange", value: { old, new: next, reason } };
}

const TAKEN: Payload = {
  case: "captureComplete",
  value: { captured: { target: Target.DOCUMENT_FRONT, image: { id: "img_1" }, score: 64 } },
};
const { SEARCHING, LOCKED, COUNTDOWN, CAPTURED, CHALLENGE, COMPLETED } = SessionState;

describe("what a session's page shows", () => {
  it("counts down only while the session does", () => {
    const counting = after(
      change(LOCKED, COUNTDOWN, "steady"),
      { case: "captureStart", value: { attempt: 1 } },
      { case: "captureProgress", value: { fraction: 0.5 } },
    );
    expect(counting.countdown).toBe(0.5);
    const moved = shown(counting, event(change(COUNTDOWN, LOCKED, "moved")));
    expect(moved.countdown).toBeUndefined();
  });

  it("forgets a picture that is rejected or taken again, and keeps one that stands", () => {
    const taken = after(TAKEN);
    expect(taken.captured).toHaveLength(1);
    for (const reason of ["rejected", "retake"]) {
      expect(shown(taken, event(change(CAPTURED, SEARCHING, reason))).captured).toEqual([]);
    }
    const next = shown(taken, event(change(CAPTURED, SessionState.CONFIRMED, "confirm")));
    expect(next.captured).toHaveLength(1);
  });

  it("replaces the picture of a target by a later one of it", () => {
    expect(after(TAKEN, TAKEN).captured).toHaveLength(1);
  });

  it("shows a challenge until it is met or the session goes elsewhere", () => {
    const given: Payload = {
      case: "liveness",
      value: {
        event: { case: "challengeGiven", value: { challenge: Challenge.TURN_LEFT, number: 1, total: 2 } },
      },
    };
    const asked = after(change(CAPTURED, CHALLENGE, "confirm"), given);
    expect(asked.challenge?.number).toBe(1);
    expect(shown(asked, event(change(CHALLENGE, SEARCHING, "stalled"))).challenge).toBeUndefined();
  });

  it("does not carry the measures of one side over to the next", () => {
    const measured = after({ case: "qualityUpdate", value: { score: 80 } });
    expect(shown(measured, event(change(SessionState.CONFIRMED, SEARCHING, "next_target"))).quality).toBe(
      undefined,
    );
  });

  it("takes fields of the document one by one and the better reading of each", () => {
    const field = (revision: number, value: string): Payload => ({
      case: "extractionField",
      value: { field: { key: "person.surname", revision, value } },
    });
    const view = after(
      { case: "extractionStart", value: {} },
      field(2, "FALKENBERG"),
      field(1, "FALKENBER6"),
    );
    expect(view.reading?.fields.map((read) => read.value)).toEqual(["FALKENBERG"]);
  });

  it("ends with what the session says", () => {
    const session = create(SessionSchema, { id: "ses_1", state: COMPLETED });
    const view = after(TAKEN, { case: "sessionEnd", value: { session } });
    expect(view.over).toBe(true);
    expect(view.state).toBe(COMPLETED);
  });

  it("keeps what only events tell when the whole session is asked for", () => {
    const read = after({ case: "extractionStart", value: { documentType: "passport" } });
    const view = fromSession(read, create(SessionSchema, { state: SessionState.PROCESSING }));
    expect(view.reading?.documentType).toBe("passport");
  });

  it("knows which states look at frames", () => {
    expect([SEARCHING, LOCKED, COUNTDOWN, CHALLENGE].every(looksAtFrames)).toBe(true);
    expect([CAPTURED, SessionState.PROCESSING, COMPLETED].some(looksAtFrames)).toBe(false);
  });
});
