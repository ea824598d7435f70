import "./batch.css";

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLocation } from "preact-iso";
import { useEffect, useRef } from "preact/hooks";

import { batches } from "../../api";
import { isShown } from "../../parts/shown";
import { StreamState } from "../../parts/stream_state";
import { VirtualList } from "../../parts/virtual_list";
import type { Page } from "..";
import { DropZone } from "./drop_zone";
import { etas, paceOf } from "./eta";
import type { Chosen } from "./files";
import { ImageRow } from "./image_row";
import { Recent } from "./recent";
import { ResultDrawer } from "./result_drawer";
import { Summary } from "./summary";
import { TypeChoice } from "./type_choice";
import { say } from "./words";
import { BatchWork, type Phase } from "./work";

const ROW_PX = 64;
const PATH = "/batch";
const TAKES_FILES: ReadonlySet<Phase> = new Set(["empty", "unfinished", "failed"]);

/** Many documents, read as one piece of work. */
export const batch: Page = { path: PATH, title: () => say("title"), component: BatchPage };

/** Outlives the page, so that looking at another one does not break off an upload. */
let current: BatchWork | undefined;

function BatchPage(): JSX.Element {
  const work = (current ??= new BatchWork(batches));
  const { query, route } = useLocation();
  const phase = work.phase.value;
  useBatchOfAddress(work, query.id ?? "");
  useWarning(phase === "sending");
  const send = (files: readonly Chosen[]): void => {
    void work.send(files, (batchId) => {
      if (isShown(PATH)) route(`${PATH}?id=${batchId}`, true);
    });
  };
  return (
    <div class="batch stack">
      <header class="row spread">
        <h1>{say("heading")}</h1>
        {work.stream.value && <StreamState state={work.stream.value} />}
      </header>
      {phase !== "empty" && (
        <Running
          work={work}
          onNew={() => {
            work.close();
            route(PATH);
          }}
        />
      )}
      {phase === "empty" && <TypeChoice type={work.documentType} />}
      {TAKES_FILES.has(phase) && <DropZone onFiles={send} />}
      {phase === "empty" && <Recent />}
    </div>
  );
}

/** The address names the batch: it can be reloaded, kept, and given to others. */
function useBatchOfAddress(work: BatchWork, batchId: string): void {
  const { route } = useLocation();
  const arriving = useRef(true);
  useEffect(() => {
    const shown = work.batch.value?.batchId ?? "";
    const returns = arriving.current;
    arriving.current = false;
    if (batchId === shown) return;
    const busy = work.phase.value === "sending" || work.phase.value === "reading";
    if (batchId !== "") void work.open(batchId);
    // It may have ended while another page was looked at.
    else if (busy || returns) route(`${PATH}?id=${shown}`, true);
    else work.close();
  }, [work, batchId, route]);
}

/** Leaving the application would break off the upload. */
function useWarning(on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const warn = (event: BeforeUnloadEvent): void => {
      event.preventDefault();
    };
    addEventListener("beforeunload", warn);
    return () => {
      removeEventListener("beforeunload", warn);
    };
  }, [on]);
}

function Running({ work, onNew }: { readonly work: BatchWork; readonly onNew: () => void }): JSX.Element {
  const shown = useSignal<number | undefined>(undefined);
  const reading = work.phase.value === "reading";
  const now = useSeconds(reading);
  const left = useComputed(() => {
    const pace = paceOf(work.rows.value, work.startMs.value ?? Infinity);
    // Read again with each tick.
    return pace && now.value > 0 ? etas(work.rows.value, pace, work.serverNow()) : undefined;
  });
  const rows = work.rows.value;
  const open = rows.find((row) => row.index === shown.value);
  return (
    <>
      <Summary work={work} leftMs={reading ? lastOf(left.value) : undefined} onNew={onNew} />
      {rows.length > 0 && (
        <section class="panel images" aria-label={say("images")}>
          <VirtualList
            items={rows}
            keyOf={(row) => String(row.index)}
            rowHeight={ROW_PX}
            label={say("images")}
            row={(row) => (
              <ImageRow
                row={row}
                etaMs={reading ? left.value?.get(row.index) : undefined}
                onOpen={() => (shown.value = row.index)}
                onRetry={work.phase.value === "ended" ? () => void work.retry([row.index]) : undefined}
              />
            )}
          />
        </section>
      )}
      {open?.document && (
        <ResultDrawer
          row={open}
          document={open.document}
          file={work.files[open.index]?.file}
          onClose={() => (shown.value = undefined)}
        />
      )}
    </>
  );
}

function lastOf(left: ReadonlyMap<number, number> | undefined): number | undefined {
  return left === undefined ? undefined : Math.max(0, ...left.values());
}

/** Counts seconds while something is going on. */
function useSeconds(on: boolean) {
  const now = useSignal(1);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => (now.value += 1), 1000);
    return () => {
      clearInterval(timer);
    };
  }, [on, now]);
  return now;
}
