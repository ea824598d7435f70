import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { computed, signal } from "@preact/signals";
import { type Batch, type BatchItem, BatchState } from "@protos/vidence/batch/v1/batch_pb";
import type { BatchEvent, BatchService } from "@protos/vidence/batch/v1/batch_service_pb";
import { type Failure, failureOf, Watch, type WatchState } from "@vidence/client";

import { again } from "../../parts/again";
import { type Chosen, fingerprint } from "./files";
import { forgetUpload, saveCursor, savedCursor, uploadKey } from "./memory";
import { apply, hasEnded, putBack, type Row, rowOf, type Rows } from "./rows";
import { rowsOf, upload } from "./upload";

type Service = Client<typeof BatchService>;

/**
 * Where the page stands with its batch. `unfinished`: it was never started, because its upload broke off; choosing the
 * same files again goes on with it.
 */
export type Phase = "empty" | "loading" | "sending" | "unfinished" | "reading" | "ended" | "failed";

const ENDED: ReadonlySet<BatchState> = new Set([
  BatchState.SUCCEEDED,
  BatchState.PARTIAL,
  BatchState.FAILED,
  BatchState.CANCELLED,
]);

/** One batch: sent from this page, or one that the server keeps; and what is read of it, as it is read. */
export class BatchWork {
  readonly phase = signal<Phase>("empty");
  readonly batch = signal<Batch | undefined>(undefined);
  readonly rows = signal<readonly Row[]>([]);
  /** How the watch stands; undefined before there is one. */
  readonly stream = signal<WatchState | undefined>(undefined);
  /** Something is sent again and again because the server does not answer. */
  readonly waiting = signal(false);
  readonly failure = signal<Failure | undefined>(undefined);
  /** Of the images of the next batch; empty: the server detects it. */
  readonly documentType = signal("");
  /** When the current run began, by the server's clock, ms since 1970. */
  readonly startMs = computed(() => {
    const start = this.batch.value?.startTime;
    return start && timestampMs(start);
  });
  /** Files that were chosen in this page, by index: their pictures can be shown. */
  files: readonly Chosen[] = [];
  readonly #service: Service;
  /** How far the clock here is ahead of the server's, ms, as the newest event shows. */
  #aheadMs = 0;
  readonly #rows: Rows = new Map();
  #watch: Watch<BatchEvent> | undefined;
  #call = new AbortController();
  #drawing = 0;

  constructor(service: Service) {
    this.#service = service;
  }

  /** The time by the server's clock, ms since 1970. */
  serverNow(): number {
    return Date.now() - this.#aheadMs;
  }

  /** Sends files as a batch and starts it; resolves when it is read, or watched. `onCreated` hears its id. */
  async send(files: readonly Chosen[], onCreated: (batchId: string) => void): Promise<void> {
    // An upload that is taken up again goes on as it began.
    const open = this.batch.value?.state === BatchState.OPEN ? this.batch.value : undefined;
    const documentType = open?.documentType ?? this.documentType.value;
    const signal = this.#begin("sending");
    this.files = files;
    this.#set(rowsOf(files));
    await this.#guard(signal, async () => {
      const onWaiting = (waiting: boolean): void => void (this.waiting.value = waiting);
      const persistent = { signal, onWaiting };
      // Another type is another batch.
      const idempotencyKey = await uploadKey(`${documentType}\n${fingerprint(files)}`);
      const call = { signal };
      const request = { idempotencyKey, documentType };
      const created = await again(() => this.#service.createBatch(request, call), persistent);
      const batchId = created.batch?.batchId ?? "";
      this.batch.value = created.batch;
      onCreated(batchId);
      if (created.batch?.state !== BatchState.OPEN) {
        await this.open(batchId);
        return;
      }
      const items = await itemsOf(this.#service, batchId, signal);
      const kept = new Map(items.map((item) => [item.index, item.sha256]));
      const onRow = (row: Row): void => {
        this.#rows.set(row.index, row);
        this.#drawSoon();
      };
      await upload(this.#service, { batchId, files, kept, onRow, ...persistent });
      if (!this.#someQueued()) {
        await this.#nothingTaken(batchId);
        return;
      }
      const started = await again(() => this.#service.startBatch({ batchId }, call), persistent);
      forgetUpload();
      if (started.batch && ENDED.has(started.batch.state)) {
        await this.open(batchId);
        return;
      }
      this.#follow(started.batch);
    });
  }

  /** Shows a batch that the server keeps, and goes on watching it where this tab stood before a reload. */
  async open(batchId: string): Promise<void> {
    if (this.batch.value?.batchId !== batchId) this.files = [];
    const signal = this.#begin("loading");
    await this.#guard(signal, async () => {
      const { batch } = await again(() => this.#service.getBatch({ batchId }, { signal }), { signal });
      this.batch.value = batch;
      this.#set((await itemsOf(this.#service, batchId, signal)).map(rowOf));
      if (batch?.state === BatchState.OPEN) this.phase.value = "unfinished";
      else this.#follow(batch, batch && savedCursor(batchId, batch.run));
    });
  }

  /** Stops sending, and what waits is not read. */
  async cancel(): Promise<void> {
    const batchId = this.batch.value?.batchId;
    if (this.phase.value !== "reading") this.#call.abort();
    if (batchId === undefined) {
      this.close();
      return;
    }
    const { signal } = (this.#call = new AbortController());
    await this.#guard(signal, async () => {
      const { batch } = await again(() => this.#service.cancelBatch({ batchId }, { signal }), { signal });
      forgetUpload();
      if (this.phase.value !== "reading") await this.open(batch?.batchId ?? batchId);
    });
  }

  /** Puts images that failed or were cancelled back into work; none named: all of them. */
  async retry(indexes: readonly number[] = []): Promise<void> {
    const batchId = this.batch.value?.batchId ?? "";
    const { signal } = (this.#call = new AbortController());
    await this.#guard(signal, async () => {
      // Not repeated by itself: it is not idempotent, a second one might put back what failed anew.
      const { batch } = await this.#service.retryItems({ batchId, indexes: [...indexes] }, { signal });
      const all = this.rows.value.filter(mayBeRetried).map((row) => row.index);
      putBack(this.#rows, indexes.length > 0 ? indexes : all);
      this.#draw();
      this.#follow(batch);
    });
  }

  /** Leaves the batch; the server goes on with it. */
  close(): void {
    this.#begin("empty");
    this.files = [];
    this.#set([]);
  }

  #begin(phase: Phase): AbortSignal {
    this.#call.abort();
    this.#watch?.close();
    this.#watch = undefined;
    this.#call = new AbortController();
    this.stream.value = undefined;
    this.batch.value = undefined;
    this.failure.value = undefined;
    this.waiting.value = false;
    this.phase.value = phase;
    return this.#call.signal;
  }

  async #guard(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    this.failure.value = undefined;
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      this.failure.value = failureOf(error);
      if (this.phase.value === "loading" || this.phase.value === "sending") this.phase.value = "failed";
    }
  }

  #someQueued(): boolean {
    return [...this.#rows.values()].some((row) => row.stage === "queued");
  }

  /** Every file was refused: there is nothing to start, and nothing to keep. */
  async #nothingTaken(batchId: string): Promise<void> {
    forgetUpload();
    this.phase.value = "ended";
    this.#draw();
    await this.#service.deleteBatch({ batchId });
  }

  #follow(batch: Batch | undefined, afterCursor = ""): void {
    this.#watch?.close();
    this.batch.value = batch;
    if (batch === undefined) return;
    if (ENDED.has(batch.state)) {
      this.phase.value = "ended";
      this.stream.value = "ended";
      return;
    }
    this.phase.value = "reading";
    const { batchId, run } = batch;
    const watch = new Watch<BatchEvent>({
      afterCursor,
      open: (cursor, signal) => this.#service.watchBatch(from(batchId, run, cursor), { signal }),
      onEvents: (events) => {
        for (const event of events) this.#take(event);
        // The last of them covers all that this message brought.
        saveCursor(batchId, run, events.at(-1)?.cursor ?? "");
        this.#drawSoon();
      },
      onState: (state, failure) => {
        if (this.#watch !== watch) return;
        this.stream.value = state;
        if (state === "failed") this.failure.value = failure;
      },
      ask: (signal) => this.#ask(batchId, signal),
    });
    this.#watch = watch;
    this.stream.value = watch.state;
    void watch.start();
  }

  /** Takes the rows as they are now; what the stream tells again later changes nothing. */
  async #ask(batchId: string, signal: AbortSignal): Promise<void> {
    const { batch } = await this.#service.getBatch({ batchId }, { signal });
    const items = await itemsOf(this.#service, batchId, signal);
    signal.throwIfAborted();
    this.#set(items.map(rowOf));
    if (batch && ENDED.has(batch.state)) this.#follow(batch);
  }

  #take(event: BatchEvent): void {
    apply(this.#rows, event);
    if (event.emitTime) this.#aheadMs = Date.now() - timestampMs(event.emitTime);
    if (event.payload.case === "batchStart") this.#started(event);
    if (event.payload.case !== "complete") return;
    this.#draw();
    this.phase.value = "ended";
    if (this.batch.value) this.batch.value = { ...this.batch.value, state: event.payload.value.state };
  }

  #started(event: BatchEvent): void {
    const batch = this.batch.value;
    if (batch && event.emitTime) this.batch.value = { ...batch, startTime: event.emitTime };
  }

  #set(rows: readonly Row[]): void {
    this.#rows.clear();
    for (const row of rows) this.#rows.set(row.index, row);
    this.#draw();
  }

  /** What comes within a frame is drawn together. */
  #drawSoon(): void {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#draw();
    });
  }

  #draw(): void {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    this.rows.value = [...this.#rows.values()].sort((a, b) => a.index - b.index);
  }
}

/** Whether the server still has what it takes to read a row again. */
export function mayBeRetried(row: Row): boolean {
  return hasEnded(row) && (row.stage === "failed" || row.stage === "cancelled");
}

async function itemsOf(service: Service, batchId: string, signal: AbortSignal): Promise<BatchItem[]> {
  const items: BatchItem[] = [];
  let pageToken = "";
  do {
    const request = { batchId, pageSize: 1000, pageToken };
    const page = await again(() => service.listBatchItems(request, { signal }), { signal });
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return items;
}

function from(batchId: string, run: number, cursor: string) {
  const start = cursor === "" ? {} : { start: { case: "afterCursor" as const, value: cursor } };
  return { batchId, run, ...start };
}
