import { useSignal } from "@preact/signals";
import { failureOf } from "@vidence/client";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { libraries } from "../../api";
import { count } from "../../language";
import { download } from "../../parts/download";
import { AddDrawer } from "./add_drawer";
import { exported } from "./export";
import { type Ingested, ingest, NOTHING } from "./ingest";
import { say, why } from "./words";

interface Props {
  readonly libraryId: string;
  /** What stands beside the buttons. */
  readonly children: ComponentChildren;
}

/** Brings documents into a library and out of it. */
export function Transfer({ libraryId, children }: Props): JSX.Element {
  const file = useRef<HTMLInputElement>(null);
  const call = useRef(new AbortController());
  const adding = useSignal(false);
  const running = useSignal(false);
  const brought = useSignal<Ingested | undefined>(undefined);
  const words = useSignal("");
  const waiting = useSignal(false);
  useEffect(
    () => () => {
      call.current.abort();
    },
    [libraryId],
  );
  const run = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    call.current = new AbortController();
    running.value = true;
    words.value = "";
    brought.value = undefined;
    try {
      await work(call.current.signal);
    } catch (error) {
      const { reason, message } = failureOf(error);
      if (!call.current.signal.aborted) words.value = why(reason, say("failure", { message }));
    } finally {
      running.value = false;
      waiting.value = false;
    }
  };
  const onWaiting = (on: boolean): void => void (waiting.value = on);
  const bring = (chosen: File): Promise<void> =>
    run(async (signal) => {
      brought.value = NOTHING;
      const onProgress = (ingested: Ingested): void => void (brought.value = ingested);
      brought.value = await ingest(libraryId, chosen, signal, onProgress, onWaiting);
    });
  const save = (): Promise<void> =>
    run(async (signal) => {
      const onProgress = (documents: number): void => {
        words.value = say("export.told", { count: count(documents) });
      };
      const content = await exported({ service: libraries, libraryId, signal, onProgress, onWaiting });
      download(`${libraryId}.jsonl`, content);
    });
  return (
    <section class="stack transfer">
      <div class="row">
        {children}
        <button type="button" class="primary" onClick={() => (adding.value = true)}>
          {say("add")}
        </button>
        <button
          type="button"
          title={say("bring.hint")}
          disabled={running.value}
          onClick={() => file.current?.click()}
        >
          {say("bring")}
        </button>
        <button type="button" disabled={running.value} onClick={save}>
          {say("export")}
        </button>
        {running.value && (
          <button
            type="button"
            onClick={() => {
              call.current.abort();
            }}
          >
            {say("stop")}
          </button>
        )}
        <input
          ref={file}
          type="file"
          hidden
          data-choose="documents"
          accept=".ndjson,.jsonl,.json,application/x-ndjson"
          onChange={async (event) => {
            const chosen = event.currentTarget.files?.[0];
            if (chosen) await bring(chosen);
            if (file.current) file.current.value = "";
          }}
        />
      </div>
      {waiting.value && <p role="alert">{say("waiting")}</p>}
      {words.value !== "" && <p role="status">{words.value}</p>}
      {brought.value && <Brought ingested={brought.value} />}
      {adding.value && <AddDrawer libraryId={libraryId} onClose={() => (adding.value = false)} />}
    </section>
  );
}

function Brought({ ingested }: { readonly ingested: Ingested }): JSX.Element {
  const { created, updated, unchanged, refused, problems, share } = ingested;
  return (
    <div class="panel stack brought">
      <progress aria-label={say("bring")} max={1} value={share} />
      <p role="status">
        {say("bring.told", {
          created: count(created),
          updated: count(updated),
          unchanged: count(unchanged),
          refused: count(refused),
        })}
      </p>
      {problems.length > 0 && (
        <ul>
          {problems.map(({ line, message }) => (
            <li key={line}>{say("bring.line", { line: count(line), message })}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
