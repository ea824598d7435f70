import "./state_badge.css";

import { CheckVerdict, LivenessVerdict, type Verification } from "@protos/vidence/capture/v1/session_pb";
import type { JSX } from "preact";

import { saySession, sessionWord } from "./words";

const TONES: Partial<Record<CheckVerdict, string>> = {
  [CheckVerdict.PASSED]: "good",
  [CheckVerdict.FAILED]: "bad",
};

/** What was found out about document and person, check by check. */
export function VerificationResult({ verification }: { readonly verification: Verification }): JSX.Element {
  return (
    <section class="panel stack verification" aria-label={saySession("verification")}>
      <header class="row spread">
        <h2>{saySession("verification")}</h2>
        <Verdict verdict={verification.verdict} />
      </header>
      <ul class="checks">
        {verification.checks.map((check) => (
          <li key={check.name}>
            <span>
              {sessionWord("check", check.name)}
              {check.detail !== "" && <small class="quiet">{sessionWord("detail", check.detail)}</small>}
            </span>
            <Verdict verdict={check.verdict} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Whether liveness was shown, and what that is worth. */
export function LivenessLine({ verdict }: { readonly verdict: LivenessVerdict }): JSX.Element | null {
  if (verdict === LivenessVerdict.UNSPECIFIED) return null;
  const passed = verdict === LivenessVerdict.PASSED;
  return (
    <p class="row">
      {saySession("liveness")}
      <Verdict verdict={passed ? CheckVerdict.PASSED : CheckVerdict.FAILED} />
      <small class="quiet">{saySession("uncertified")}</small>
    </p>
  );
}

function Verdict({ verdict }: { readonly verdict: CheckVerdict }): JSX.Element {
  return <span class={`badge ${TONES[verdict] ?? "warning"}`}>{sessionWord("verdict", verdict)}</span>;
}
