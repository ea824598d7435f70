import "./state_badge.css";

import { SessionState } from "@protos/vidence/capture/v1/session_pb";
import type { JSX } from "preact";

import { sessionWord } from "./words";

const TONES: Partial<Record<SessionState, string>> = {
  [SessionState.SEARCHING]: "warning",
  [SessionState.COMPLETED]: "good",
  [SessionState.CONFIRMED]: "good",
  [SessionState.FAILED]: "bad",
  [SessionState.CANCELLED]: "",
  [SessionState.EXPIRED]: "",
};

/** Where a session is. */
export function StateBadge({ state }: { readonly state: SessionState }): JSX.Element {
  return <span class={`badge ${TONES[state] ?? "accent"}`}>{sessionWord("state", state)}</span>;
}
