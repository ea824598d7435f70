import type { JSX } from "preact";

import { count } from "../../language";
import { documentTypeName } from "../../parts/document/words";
import { size, span } from "../../parts/units";
import type { Row, Stage } from "./rows";
import { say, why } from "./words";
import { mayBeRetried } from "./work";

interface Props {
  readonly row: Row;
  /** Time until it will have been read, ms. */
  readonly etaMs: number | undefined;
  readonly onOpen: () => void;
  /** Undefined where nothing can be put back now. */
  readonly onRetry: (() => void) | undefined;
}

const TONE: Readonly<Partial<Record<Stage, string>>> = {
  sending: "accent",
  reading: "accent",
  again: "warning",
  read: "good",
  failed: "bad",
  refused: "bad",
};

/** One image of the batch: where it is, and what came of it. */
export function ImageRow({ row, etaMs, onOpen, onRetry }: Props): JSX.Element {
  return (
    <div class={`image-row ${row.stage}`} data-index={row.index}>
      <button type="button" class="plain" disabled={!row.document} onClick={onOpen}>
        <strong>{row.fileName}</strong>
        <span class="quiet">{outcome(row)}</span>
      </button>
      <span class="quiet time">{timeOf(row, etaMs)}</span>
      <span class={`badge ${TONE[row.stage] ?? ""}`}>{say(`stage.${row.stage}`)}</span>
      {onRetry && mayBeRetried(row) ? (
        <button
          type="button"
          class="retry"
          aria-label={say("retry.one", { name: row.fileName })}
          onClick={onRetry}
        >
          <span>{say("retry")}</span>
        </button>
      ) : null}
    </div>
  );
}

function outcome(row: Row): string {
  if (row.document) {
    const { documentType, fields } = row.document;
    return `${documentTypeName(documentType)} · ${say("fields", { count: count(fields.length) })}`;
  }
  if (row.reason !== undefined) return why(row.reason, row.message ?? "");
  return row.sizeBytes > 0 ? size(row.sizeBytes) : "";
}

function timeOf(row: Row, etaMs: number | undefined): string {
  if (row.durationMs !== undefined) return span(row.durationMs);
  return etaMs === undefined ? "" : say("eta", { time: span(etaMs) });
}
