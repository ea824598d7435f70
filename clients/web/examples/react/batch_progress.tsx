/** @jsxImportSource react */
import { createClient, type Transport } from "@connectrpc/connect";
import { BatchService, type BatchEvent } from "@protos/vidence/batch/v1/batch_service_pb";
import { connectTo } from "@vidence/client";
import { type ReactElement, useMemo } from "react";

import { useWatch } from "./use_watch";

interface Props {
  readonly batchId: string;
  readonly transport?: Transport;
}

/** How far a batch is, live. */
export function BatchProgress({ batchId, transport }: Props): ReactElement {
  const batches = useMemo(() => createClient(BatchService, transport ?? connectTo()), [transport]);
  const { events, state } = useWatch<BatchEvent>(batchId, (cursor, signal) =>
    batches.watchBatch(
      { batchId, ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }) },
      { signal },
    ),
  );
  const newest = events.find(({ payload }) => payload.case === "progress")?.payload;
  const told = newest?.case === "progress" ? newest.value : undefined;
  return (
    <section>
      <p role="status">{state}</p>
      <progress max={told?.total ?? 1} value={told?.current ?? 0} />
      {told && <p>{`${String(told.current)} of ${String(told.total)}: ${told.fileName}`}</p>}
    </section>
  );
}
