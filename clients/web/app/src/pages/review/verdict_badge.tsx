import "../../parts/badge.css";

import { type Decision, Verdict } from "@protos/vidence/review/v1/review_pb";
import type { JSX } from "preact";

import { say } from "./words";

const TONES: Partial<Record<Verdict, string>> = {
  [Verdict.APPROVED]: "good",
  [Verdict.REJECTED]: "bad",
  [Verdict.ESCALATED]: "warning",
};

/** What reviewers may decide. */
export const VERDICTS = [Verdict.APPROVED, Verdict.REJECTED, Verdict.ESCALATED] as const;

/** What was decided. */
export function VerdictBadge({ decision }: { readonly decision: Decision | undefined }): JSX.Element | null {
  const verdict = VERDICTS.find((each) => each === decision?.verdict);
  return verdict === undefined ? null : (
    <span class={`badge ${TONES[verdict] ?? ""}`}>{say(`verdict.${verdict}`)}</span>
  );
}
