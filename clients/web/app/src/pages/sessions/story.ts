import { type CaptureEvent, CaptureEventSchema } from "@protos/vidence/capture/v1/session_event_pb";

import { documentTypeName, fieldName } from "../../parts/document/words";
import { jsonText } from "../../parts/payloads";
import { saySession, sessionWord } from "../../parts/session/words";
import { word } from "./words";

/** Payloads that come many times a second; the list of events leaves them out. */
const FREQUENT: readonly string[] = [
  "qualityUpdate",
  "captureProgress",
  "stateTransition",
  "extractionProgress",
];

/** Whether an event is told in a list for people. */
export function isTold(event: CaptureEvent): boolean {
  return event.payload.case !== undefined && !FREQUENT.includes(event.payload.case);
}

/** What happened, in a word or two. */
export function titleOf(event: CaptureEvent): string {
  return word("event", event.payload.case ?? "");
}

/** What there is to say about it. */
export function detailOf(event: CaptureEvent): string {
  const { payload } = event;
  switch (payload.case) {
    case "stateChange":
      return `${sessionWord("state", payload.value.old)} → ${sessionWord("state", payload.value.new)} (${payload.value.reason})`;
    case "guidance":
      return payload.value.message;
    case "qualityGatePassed":
    case "qualityGateFailed":
      return payload.value.gate.replaceAll("_", " ");
    case "captureComplete":
      return sessionWord("target", payload.value.captured?.target ?? 0);
    case "documentTypeDetected":
      return documentTypeName(payload.value.documentType);
    case "extractionField":
      return payload.value.field ? fieldName(payload.value.field.key, payload.value.field.index) : "";
    case "warning":
      return sessionWord("warning", payload.value.code);
    case "error":
    case "extractionFailed":
      return payload.value.status?.message ?? "";
    case "verification":
      return `${saySession("verdict")}: ${sessionWord("verdict", payload.value.verdict)}`;
    case "sessionEnd":
      return sessionWord("state", payload.value.session?.state ?? 0);
    default:
      return "";
  }
}

/** Everything that an event says, as JSON. */
export function jsonOf(event: CaptureEvent): string {
  return jsonText(CaptureEventSchema, event);
}
