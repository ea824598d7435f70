import type { JSX } from "preact";

import { count } from "../../language";
import { download } from "../../parts/download";
import { ReviewLink } from "../../parts/review_link";
import { span } from "../../parts/units";
import { type Tally, tally } from "./rows";
import { csv, jsonLines } from "./table";
import { say, why } from "./words";
import { type BatchWork, mayBeRetried } from "./work";

interface Props {
  readonly work: BatchWork;
  /** Time until everything will have been read, ms. */
  readonly leftMs: number | undefined;
  readonly onNew: () => void;
}

/** How far the batch is, and what can be done with it. */
export function Summary({ work, leftMs, onNew }: Props): JSX.Element {
  const rows = work.rows.value;
  const phase = work.phase.value;
  const told = tally(rows);
  const failure = work.failure.value;
  const sent = rows.filter((row) => row.stage !== "waiting" && row.stage !== "sending").length;
  const done = phase === "sending" ? sent : phase === "unfinished" ? told.total : told.done;
  return (
    <section class="panel stack summary" aria-label={say("title")}>
      <div class="row spread">
        <p class="told" role="status">
          {say(`phase.${phase}`, { done: count(done), total: count(told.total), read: count(told.read) })}
          <Others told={told} />
        </p>
        {leftMs !== undefined && <span class="quiet">{say("left", { time: span(leftMs) })}</span>}
      </div>
      <progress aria-label={say("title")} max={Math.max(1, told.total)} value={done} />
      {work.waiting.value && <p role="alert">{say("waiting")}</p>}
      {failure && <p role="alert">{why(failure.reason, say("failure", { message: failure.message }))}</p>}
      <Actions work={work} onNew={onNew} />
    </section>
  );
}

function Others({ told }: { readonly told: Tally }): JSX.Element {
  return (
    <>
      {told.failed > 0 && (
        <span class="bad-text"> · {say("failed.count", { count: count(told.failed) })}</span>
      )}
      {told.cancelled > 0 && (
        <span class="quiet"> · {say("cancelled.count", { count: count(told.cancelled) })}</span>
      )}
    </>
  );
}

function Actions({ work, onNew }: { readonly work: BatchWork; readonly onNew: () => void }): JSX.Element {
  const rows = work.rows.value;
  const phase = work.phase.value;
  const under = work.batch.value?.batchId ?? "batch";
  const some = rows.some((row) => row.document !== undefined || row.reason !== undefined);
  return (
    <div class="row">
      {(phase === "sending" || phase === "reading" || phase === "unfinished") && (
        <button type="button" onClick={() => work.cancel()}>
          {say("cancel")}
        </button>
      )}
      {phase === "ended" && rows.some(mayBeRetried) && (
        <button type="button" class="primary" onClick={() => work.retry()}>
          {say("retry.all")}
        </button>
      )}
      {work.batch.value && <ReviewLink subject={`batches/${work.batch.value.batchId}`} />}
      <button
        type="button"
        disabled={!some}
        onClick={() => {
          download(`${under}.jsonl`, new Blob([jsonLines(rows)], { type: "application/x-ndjson" }));
        }}
      >
        {say("export.json")}
      </button>
      <button
        type="button"
        disabled={!some}
        onClick={() => {
          // The mark tells spreadsheets that this is UTF-8.
          download(`${under}.csv`, new Blob(["\uFEFF", csv(rows)], { type: "text/csv;charset=utf-8" }));
        }}
      >
        {say("export.csv")}
      </button>
      {phase !== "sending" && (
        <button type="button" onClick={onNew}>
          {say("new")}
        </button>
      )}
    </div>
  );
}
