import type { Hit, ScorePart } from "@protos/vidence/library/v1/search_pb";
import type { JSX } from "preact";

import { Drawer } from "../../parts/drawer";
import { decimal } from "../../parts/units";
import { shown } from "./conditions";
import { say } from "./words";

interface Props {
  readonly hit: Hit;
  readonly text: string;
  readonly onClose: () => void;
}

/** A document that was found, and why it stands where it stands. */
export function HitDrawer({ hit, text, onClose }: Props): JSX.Element {
  return (
    <Drawer title={hit.documentId} onClose={onClose}>
      <p class="quiet">{say("version", { version: String(hit.version) })}</p>
      <h3>{say("explained")}</h3>
      <p>{say("score", { score: decimal(hit.score) })}</p>
      <ul>
        {hit.parts.length === 0 && <li>{say("explained.none")}</li>}
        {hit.parts.map((part) => (
          <li key={part.ranking}>{explanation(part)}</li>
        ))}
      </ul>
      <h3>{say("metadata")}</h3>
      <dl class="fields">
        {Object.entries(hit.metadata).map(([key, value]) => (
          <div key={key}>
            <dt class="quiet mono">{key}</dt>
            <dd>{shown(value)}</dd>
          </div>
        ))}
      </dl>
      <h3>{say("text")}</h3>
      <p class="whole-text">{text}</p>
    </Drawer>
  );
}

function explanation({ ranking, rank, score, contribution }: ScorePart): string {
  return say(ranking === "semantic" ? "part.semantic" : "part.lexical", {
    rank,
    score: decimal(score),
    contribution: decimal(contribution),
  });
}
