import { GateVerdict, type QualityMeasure } from "@protos/vidence/capture/v1/quality_pb";
import type { JSX } from "preact";

import { say, word } from "./words";

/** Every measure that decides, with its score. */
export function Gauges({ measures }: { readonly measures: readonly QualityMeasure[] }): JSX.Element {
  const gated = measures.filter((measure) => measure.verdict !== GateVerdict.UNSPECIFIED);
  const good = gated.filter((measure) => measure.verdict === GateVerdict.PASSED).length;
  return (
    <section class="panel stack gauges" aria-label={say("quality")}>
      <header class="row spread">
        <h2>{say("quality")}</h2>
        {gated.length > 0 && (
          <span class={`badge ${good === gated.length ? "good" : "warning"}`}>
            {say("quality.good", { good, all: gated.length })}
          </span>
        )}
      </header>
      {gated.length === 0 ? (
        <p class="quiet">{say("quality.none")}</p>
      ) : (
        <ul>
          {gated.map((measure) => (
            <Gauge key={measure.name} measure={measure} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Gauge({ measure }: { readonly measure: QualityMeasure }): JSX.Element {
  const name = word("measure", measure.name);
  const verdict = word("gate", measure.verdict);
  const passed = measure.verdict === GateVerdict.PASSED;
  return (
    <li class={passed ? "gauge" : "gauge failing"}>
      <span>{name}</span>
      <span
        class="bar"
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={measure.score}
        aria-valuetext={say("quality.of", { name, score: measure.score, verdict })}
      >
        <span style={{ width: `${measure.score}%` }} />
      </span>
      <span class="quiet mono">{passed ? measure.score : verdict}</span>
    </li>
  );
}
