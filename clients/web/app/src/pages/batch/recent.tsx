import { timestampDate } from "@bufbuild/protobuf/wkt";
import { useSignal } from "@preact/signals";
import { type Batch, BatchState } from "@protos/vidence/batch/v1/batch_pb";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { batches } from "../../api";
import { count, fullTime } from "../../language";
import { Nothing } from "../../parts/nothing";
import { say } from "./words";

/** Batches that the server keeps, the newest first. */
export function Recent(): JSX.Element {
  const list = useSignal<readonly Batch[] | undefined>(undefined);
  const failed = useSignal(false);
  useEffect(() => {
    const call = new AbortController();
    batches.listBatches({ pageSize: 10 }, { signal: call.signal }).then(
      (answer) => (list.value = answer.batches),
      () => (failed.value = !call.signal.aborted),
    );
    return () => {
      call.abort();
    };
  }, [list, failed]);
  return (
    <section class="stack recent" aria-label={say("recent")}>
      <h2>{say("recent")}</h2>
      {(list.value?.length ?? 0) === 0 && (
        <Nothing known={list.value !== undefined} failed={failed.value} empty={say("recent.none")} />
      )}
      <ul>
        {list.value?.map((batch) => (
          <li key={batch.batchId}>
            <Line batch={batch} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Line({ batch }: { readonly batch: Batch }): JSX.Element {
  const state = batch.state === BatchState.UNSPECIFIED ? BatchState.OPEN : batch.state;
  const failed = batch.counts?.failed ?? 0;
  return (
    <a href={`/batch?id=${batch.batchId}`}>
      <span>{batch.createTime ? fullTime(timestampDate(batch.createTime)) : batch.batchId}</span>
      <span class="quiet">
        {say("recent.images", { count: count(batch.counts?.total ?? 0) })}
        {failed > 0 && ` · ${say("recent.failed", { count: count(failed) })}`}
      </span>
      <span class={`badge ${TONE[state]}`}>{say(`batch.${state}`)}</span>
    </a>
  );
}

const TONE: Readonly<Record<Exclude<BatchState, BatchState.UNSPECIFIED>, string>> = {
  [BatchState.OPEN]: "warning",
  [BatchState.QUEUED]: "accent",
  [BatchState.RUNNING]: "accent",
  [BatchState.SUCCEEDED]: "good",
  [BatchState.PARTIAL]: "warning",
  [BatchState.FAILED]: "bad",
  [BatchState.CANCELLED]: "",
};
