import {
  type CaptureEvent,
  type ChallengeGiven,
  type Guidance,
  type QualityUpdate,
  type StateChange,
} from "@protos/vidence/capture/v1/session_event_pb";
import {
  type CapturedTarget,
  LivenessVerdict,
  type Session,
  SessionState,
  Target,
  type Verification,
} from "@protos/vidence/capture/v1/session_pb";

import { type Reading, told, UNREAD } from "./reading";

/** What a session's page shows: everything that its events have told so far. */
export interface View {
  readonly session: Session | undefined;
  readonly state: SessionState;
  readonly target: Target;
  readonly guidance: Guidance | undefined;
  readonly quality: QualityUpdate | undefined;
  /** How far the countdown is, 0 to 1; undefined while there is none. */
  readonly countdown: number | undefined;
  /** Pictures that were taken; a rejected one leaves. */
  readonly captured: readonly CapturedTarget[];
  readonly challenge: ChallengeGiven | undefined;
  readonly liveness: LivenessVerdict;
  /** Undefined until the document is being read. */
  readonly reading: Reading | undefined;
  readonly verification: Verification | undefined;
  readonly over: boolean;
}

export const NOTHING: View = {
  session: undefined,
  state: SessionState.SEARCHING,
  target: Target.UNSPECIFIED,
  guidance: undefined,
  quality: undefined,
  countdown: undefined,
  captured: [],
  challenge: undefined,
  liveness: LivenessVerdict.UNSPECIFIED,
  reading: undefined,
  verification: undefined,
  over: false,
};

const LOOKS_AT_FRAMES: readonly SessionState[] = [
  SessionState.SEARCHING,
  SessionState.LOCKED,
  SessionState.COUNTDOWN,
  SessionState.CHALLENGE,
];
const OVER: readonly SessionState[] = [
  SessionState.COMPLETED,
  SessionState.FAILED,
  SessionState.CANCELLED,
  SessionState.EXPIRED,
];
const TAKEN_BACK: readonly string[] = ["rejected", "retake"];

/** Whether a session in this state looks at frames; in the others sending them is a waste. */
export function looksAtFrames(state: SessionState): boolean {
  return LOOKS_AT_FRAMES.includes(state);
}

/** Whether a session in this state is over. */
export function isOver(state: SessionState): boolean {
  return OVER.includes(state);
}

/** What is shown after one more event. Members of `payload` that are not shown here change nothing. */
export function shown(view: View, event: CaptureEvent): View {
  const { payload } = event;
  const next = event.target === view.target ? view : { ...view, target: event.target };
  switch (payload.case) {
    case "sessionStart":
      return payload.value.session ? fromSession(next, payload.value.session) : next;
    case "stateChange":
      return entered(next, payload.value, event.target);
    case "qualityUpdate":
      return { ...next, quality: payload.value };
    case "guidance":
      return { ...next, guidance: payload.value };
    case "captureStart":
      return { ...next, countdown: 0 };
    case "captureProgress":
      return { ...next, countdown: payload.value.fraction };
    case "captureComplete":
      return payload.value.captured ? { ...next, captured: withPicture(next, payload.value.captured) } : next;
    case "liveness":
      return withLiveness(next, payload.value.event);
    case "extractionStart":
    case "documentTypeDetected":
    case "extractionField":
    case "extractionProgress":
    case "extractionComplete":
    case "extractionFailed":
      return { ...next, reading: told(next.reading ?? UNREAD, payload) };
    case "verification":
      return { ...next, verification: payload.value };
    case "sessionEnd":
      return payload.value.session ? fromSession(next, payload.value.session) : { ...next, over: true };
    default:
      return next;
  }
}

/** What a whole session says; used where its events cannot be had. */
export function fromSession(view: View, session: Session): View {
  return {
    ...view,
    session,
    state: session.state,
    target: session.target,
    countdown: session.state === SessionState.COUNTDOWN ? view.countdown : undefined,
    captured: session.captured,
    liveness: session.liveness,
    verification: session.verification ?? view.verification,
    challenge: session.state === SessionState.CHALLENGE ? view.challenge : undefined,
    over: isOver(session.state),
  };
}

function entered(view: View, change: StateChange, target: Target): View {
  return {
    ...view,
    state: change.new,
    countdown: change.new === SessionState.COUNTDOWN ? (view.countdown ?? 0) : undefined,
    challenge: change.new === SessionState.CHALLENGE ? view.challenge : undefined,
    // Measures of the last target say nothing of the next.
    quality: change.reason === "next_target" ? undefined : view.quality,
    captured: TAKEN_BACK.includes(change.reason)
      ? view.captured.filter((picture) => picture.target !== target)
      : view.captured,
  };
}

function withPicture(view: View, picture: CapturedTarget): readonly CapturedTarget[] {
  return [...view.captured.filter((other) => other.target !== picture.target), picture];
}

type Liveness = Extract<CaptureEvent["payload"], { case: "liveness" }>["value"]["event"];

function withLiveness(view: View, event: Liveness): View {
  switch (event.case) {
    case "challengeGiven":
      return { ...view, challenge: event.value };
    case "challengeMet":
    case "challengeFailed":
      return { ...view, challenge: undefined };
    case "result":
      return { ...view, liveness: event.value.verdict };
    default:
      return view;
  }
}
