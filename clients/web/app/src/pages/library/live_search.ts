import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { signal } from "@preact/signals";
import type { LibraryService, QueryEvent } from "@protos/vidence/library/v1/library_service_pb";
import type { Hit, SearchSchema } from "@protos/vidence/library/v1/search_pb";
import { type Failure, failureOf, Watch, type WatchState } from "@vidence/client";

import { again } from "../../parts/again";

type Service = Pick<
  Client<typeof LibraryService>,
  "openQuery" | "refineQuery" | "watchQuery" | "findDocuments"
>;
export type Wanted = MessageInitShape<typeof SearchSchema>;

/** How long a list may take before it is asked for without a stream, ms. */
const PATIENCE_MS = 6000;

/**
 * One live query of a library: what is typed refines it, and the list changes when the library does.
 *
 * Where streams do not come through, each search is answered by one call, and `single` says so.
 */
export class LiveSearch {
  readonly hits = signal<readonly Hit[]>([]);
  /** Documents that came into the list by themselves since the search was changed. */
  readonly entered = signal<ReadonlySet<string>>(new Set());
  readonly state = signal<WatchState>("connecting");
  /** The newest list is the answer to what is wanted. */
  readonly answered = signal(false);
  readonly single = signal(false);
  readonly failure = signal<Failure | undefined>(undefined);
  readonly #service: Service;
  readonly #libraryId: string;
  #wanted: Wanted;
  #changes = 0;
  #queryId = "";
  /** Lists of this refinement and later ones answer what is wanted. */
  #awaited = 1n;
  /** Refinement of the newest list. */
  #newest = 0n;
  #busy = false;
  #watch: Watch<QueryEvent> | undefined;
  #call = new AbortController();
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(service: Service, libraryId: string, wanted: Wanted) {
    this.#service = service;
    this.#libraryId = libraryId;
    this.#wanted = wanted;
  }

  /** Opens the query and follows its lists. */
  async open(): Promise<void> {
    this.#watch?.close();
    this.#call.abort();
    const { signal } = (this.#call = new AbortController());
    this.state.value = "connecting";
    this.#await();
    const sent = this.#changes;
    await this.#told(signal, async () => {
      const request = { libraryId: this.#libraryId, search: this.#wanted };
      const { queryId } = await again(() => this.#service.openQuery(request, { signal }), { signal });
      this.#queryId = queryId;
      [this.#awaited, this.#newest] = [1n, 0n];
      this.#follow(queryId);
      if (sent !== this.#changes) await this.#refine(signal);
    });
  }

  /** Looks for something else from now on; what is typed meanwhile is sent when this was answered. */
  async search(wanted: Wanted): Promise<void> {
    this.#wanted = wanted;
    this.#changes += 1;
    this.#await();
    const { signal } = this.#call;
    if (this.#queryId !== "" && !this.#busy) await this.#told(signal, () => this.#refine(signal));
  }

  close(): void {
    clearTimeout(this.#patience);
    this.#call.abort();
    this.#watch?.close();
  }

  async #refine(signal: AbortSignal): Promise<void> {
    this.#busy = true;
    try {
      for (let sent = -1; sent !== this.#changes;) {
        sent = this.#changes;
        const request = { queryId: this.#queryId, search: this.#wanted };
        const answer = await again(() => this.#service.refineQuery(request, { signal }), { signal });
        this.#awaited = answer.queryRevision;
      }
    } finally {
      this.#busy = false;
    }
    this.#settle();
  }

  #follow(queryId: string): void {
    const watch = new Watch<QueryEvent>({
      open: (cursor, signal) =>
        this.#service.watchQuery(
          { queryId, ...(cursor && { start: { case: "afterCursor", value: cursor } }) },
          { signal },
        ),
      onEvents: (events) => {
        const last = events.at(-1);
        if (this.#watch === watch && last) this.#show(last);
      },
      onState: (state, failure) => {
        if (this.#watch !== watch) return;
        this.state.value = state;
        // Queries live in the server's memory: after its restart, or a long sleep of this page, open another.
        if (state === "ended" || failure?.reason === "QUERY_NOT_FOUND" || isStale(failure)) void this.open();
        else if (state === "failed") this.failure.value = failure;
      },
    });
    this.#watch = watch;
    void watch.start();
  }

  #show({ payload }: QueryEvent): void {
    if (payload.case !== "queryResults") return;
    const { hits, enteredIds, queryRevision } = payload.value;
    this.hits.value = hits;
    const same = queryRevision === this.#newest;
    this.entered.value = new Set([...(same ? this.entered.value : []), ...enteredIds]);
    this.single.value = false;
    this.#newest = queryRevision;
    this.#settle();
  }

  /** The list may come before the answer of the call that asked for it. */
  #settle(): void {
    if (this.#busy || this.#newest < this.#awaited) return;
    this.answered.value = true;
    this.failure.value = undefined;
    clearTimeout(this.#patience);
  }

  #await(): void {
    this.answered.value = false;
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => void this.#once(), PATIENCE_MS);
  }

  /** The same search by one call. */
  async #once(): Promise<void> {
    const { signal } = this.#call;
    await this.#told(signal, async () => {
      const { query = "", k = 0, options } = this.#wanted;
      const request = { libraryId: this.#libraryId, query, k, ...(options && { options }) };
      const answer = await this.#service.findDocuments(request, { signal });
      if (this.answered.value) return;
      this.hits.value = answer.hits;
      this.entered.value = new Set();
      this.answered.value = true;
      this.single.value = true;
    });
  }

  async #told(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      const failure = failureOf(error);
      if (failure.reason === "QUERY_NOT_FOUND") {
        await this.open();
        return;
      }
      this.failure.value = failure;
      this.answered.value = true;
      clearTimeout(this.#patience);
    }
  }
}

/** A cursor that the server no longer knows. */
function isStale(failure: Failure | undefined): boolean {
  return failure?.reason === "CURSOR_FOREIGN" || failure?.reason === "CURSOR_EXPIRED";
}
