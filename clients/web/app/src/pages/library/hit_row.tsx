import type { Hit } from "@protos/vidence/library/v1/search_pb";
import type { JSX } from "preact";

import { decimal } from "../../parts/units";
import { shown } from "./conditions";
import { say } from "./words";

interface Props {
  readonly hit: Hit;
  readonly text: string;
  /** It came into the list by itself. */
  readonly fresh: boolean;
  readonly onOpen: () => void;
}

/** One document that was found. */
export function HitRow({ hit, text, fresh, onOpen }: Props): JSX.Element {
  return (
    <li class={`hit ${fresh ? "fresh" : ""}`}>
      <button type="button" class="plain" onClick={onOpen}>
        <span class="row spread">
          <strong>{hit.documentId}</strong>
          <span class="row">
            {fresh && <span class="badge good">{say("fresh")}</span>}
            {hit.score !== 0 && (
              <span class="quiet score">{say("score", { score: decimal(hit.score) })}</span>
            )}
          </span>
        </span>
        <span class="snippet">{text}</span>
        <span class="row">
          {Object.entries(hit.metadata).map(([key, value]) => (
            <span key={key} class="badge">
              {key} {shown(value)}
            </span>
          ))}
        </span>
      </button>
    </li>
  );
}
