import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type BatchItem, BatchStage, BatchState, ItemState } from "@protos/vidence/batch/v1/batch_pb";
import type { BatchEvent } from "@protos/vidence/batch/v1/batch_service_pb";
import type { Document } from "@protos/vidence/extraction/v1/document_pb";
import { failureOf } from "@vidence/client";

import { reasonOf, type Status } from "./status";

/** Where an image is on its way. `refused`: it was not taken, and sending it again would not help. */
export type Stage =
  "waiting" | "sending" | "queued" | "reading" | "again" | "read" | "failed" | "refused" | "cancelled";

/** One image of a batch, as the page knows it. */
export interface Row {
  readonly index: number;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly stage: Stage;
  readonly document?: Document;
  /** Why it failed: a reason of the suite and what the server says. */
  readonly reason?: string;
  readonly message?: string;
  readonly durationMs?: number;
  /** When it ended, by the server's clock, ms since 1970. */
  readonly endMs?: number;
}

export type Rows = Map<number, Row>;

const ENDED: ReadonlySet<Stage> = new Set(["read", "failed", "refused", "cancelled"]);

/** Whether nothing more is to come for a row. */
export function hasEnded(row: Row): boolean {
  return ENDED.has(row.stage);
}

const STAGE_OF: Readonly<Record<ItemState, Stage>> = {
  [ItemState.UNSPECIFIED]: "queued",
  [ItemState.QUEUED]: "queued",
  [ItemState.RUNNING]: "reading",
  [ItemState.SUCCEEDED]: "read",
  [ItemState.FAILED]: "failed",
  [ItemState.CANCELLED]: "cancelled",
};

/** The row of an item that the server keeps. */
export function rowOf(item: BatchItem): Row {
  return {
    index: item.index,
    fileName: item.fileName,
    sizeBytes: Number(item.sizeBytes),
    stage: STAGE_OF[item.state],
    ...(item.document && { document: item.document }),
    ...(item.error && whyOf(item.error)),
    ...(item.duration && { durationMs: inMs(item.duration) }),
    ...(item.endTime && { endMs: timestampMs(item.endTime) }),
  };
}

/** A row whose image the server did not take. */
export function refused(row: Row, error: unknown): Row {
  const { reason, message } = failureOf(error);
  return { ...row, stage: "refused", reason, message };
}

/**
 * Brings rows up to date with what happened. Telling it twice changes nothing, so rows that are newer than the place
 * where a watch goes on stay right.
 */
export function apply(rows: Rows, event: BatchEvent): void {
  const { payload } = event;
  const ended = event.emitTime && { endMs: timestampMs(event.emitTime) };
  if (payload.case === "progress") {
    const row = known(rows, payload.value);
    if (hasEnded(row)) return;
    const stage = payload.value.stage;
    if (stage === BatchStage.READING) rows.set(row.index, { ...row, stage: "reading" });
    else if (stage === BatchStage.RETRY) rows.set(row.index, { ...row, stage: "again" });
  } else if (payload.case === "result") {
    const { index, document, duration } = payload.value;
    const durationMs = duration && { durationMs: inMs(duration) };
    rows.set(index, {
      ...bare(known(rows, payload.value)),
      stage: "read",
      ...(document && { document }),
      ...durationMs,
      ...ended,
    });
  } else if (payload.case === "error") {
    const { index, reason, error } = payload.value;
    const message = error?.message ?? "";
    rows.set(index, { ...bare(known(rows, payload.value)), stage: "failed", reason, message, ...ended });
  } else if (payload.case === "complete" && payload.value.state === BatchState.CANCELLED) {
    for (const row of rows.values()) {
      if (!hasEnded(row)) rows.set(row.index, { ...row, stage: "cancelled" });
    }
  }
}

/** Puts rows back to where they wait, as a retry does. */
export function putBack(rows: Rows, indexes: readonly number[]): void {
  for (const index of indexes) {
    const row = rows.get(index);
    if (row) rows.set(index, { ...bare(row), stage: "queued" });
  }
}

export interface Tally {
  readonly total: number;
  readonly read: number;
  readonly failed: number;
  readonly cancelled: number;
  /** All that have ended. */
  readonly done: number;
}

/** Counts rows by how they stand. */
export function tally(rows: readonly Row[]): Tally {
  const of = (...stages: Stage[]): number => rows.filter((row) => stages.includes(row.stage)).length;
  const [read, failed, cancelled] = [of("read"), of("failed", "refused"), of("cancelled")];
  return { total: rows.length, read, failed, cancelled, done: read + failed + cancelled };
}

/** Without what an earlier attempt left. */
function bare({ index, fileName, sizeBytes, stage }: Row): Row {
  return { index, fileName, sizeBytes, stage };
}

function known(rows: Rows, told: { readonly index: number; readonly fileName: string }): Row {
  const { index, fileName } = told;
  return rows.get(index) ?? { index, fileName, sizeBytes: 0, stage: "queued" };
}

function whyOf(error: Status): Pick<Row, "reason" | "message"> {
  return { reason: reasonOf(error), message: error.message };
}

function inMs(duration: { readonly seconds: bigint; readonly nanos: number }): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
