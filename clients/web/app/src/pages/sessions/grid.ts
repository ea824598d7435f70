import { signal } from "@preact/signals";
import type { SessionsEvent } from "@protos/vidence/capture/v1/session_event_pb";
import type { Session } from "@protos/vidence/capture/v1/session_pb";
import { type Failure, Watch, type WatchResponse, type WatchState } from "@vidence/client";

/** Opens the stream of all sessions; with an empty cursor it begins with a snapshot. */
export type OpenSessions = (
  afterCursor: string,
  signal: AbortSignal,
) => AsyncIterable<WatchResponse<SessionsEvent>>;

/** Gives the newest sessions, for networks where streams do not come through. */
export type ListSessions = (signal: AbortSignal) => Promise<readonly Session[]>;

const KEPT = 1000;

/** All sessions as they are now, the newest first. Bound: 1,000; the oldest leave the page. */
export class SessionGrid {
  readonly sessions = signal<readonly Session[]>([]);
  readonly state = signal<WatchState>("connecting");
  /** Whether all that there are were told once. */
  readonly complete = signal(false);
  readonly #open: OpenSessions;
  readonly #list: ListSessions | undefined;
  #watch: Watch<SessionsEvent> | undefined;
  #known = new Map<string, Session>();
  /** What the snapshot that is coming has told so far; undefined when it is complete. */
  #snapshot: Set<string> | undefined;

  constructor(open: OpenSessions, list?: ListSessions) {
    this.#open = open;
    this.#list = list;
  }

  /** Begins with a snapshot and goes on with changes. */
  start(): void {
    this.#watch?.close();
    this.#snapshot = new Set();
    const watch = new Watch<SessionsEvent>({
      open: this.#open,
      onEvents: (events) => {
        for (const event of events) this.#take(event);
        this.#draw();
      },
      onGap: () => {
        // Changes are missing: only a new snapshot tells what is true.
        if (this.#watch === watch) this.start();
      },
      onState: (state, failure) => {
        if (this.#watch === watch) this.#heard(state, failure);
      },
      ...this.#asking(),
    });
    this.#watch = watch;
    this.state.value = watch.state;
    void watch.start();
  }

  close(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.close();
  }

  #heard(state: WatchState, failure: Failure | undefined): void {
    this.state.value = state;
    // A server that started again has forgotten the cursor; half a snapshot cannot be gone on with.
    const forgotten = state === "failed" && failure?.reason.startsWith("CURSOR_");
    const broken = state === "lost" && this.#snapshot !== undefined && this.#watch?.cursor !== "";
    if (forgotten || broken) this.start();
  }

  #asking(): { ask?: (signal: AbortSignal) => Promise<void> } {
    const list = this.#list;
    if (list === undefined) return {};
    return {
      ask: async (signal) => {
        for (const session of await list(signal)) this.#known.set(session.id, session);
        this.complete.value = true;
        this.#draw();
      },
    };
  }

  #take(event: SessionsEvent): void {
    const { payload } = event;
    if (payload.case === "snapshotComplete") this.#forgetOthers();
    else if (payload.case !== undefined && payload.value.session) {
      const { session } = payload.value;
      this.#snapshot?.add(session.id);
      this.#known.set(session.id, session);
    }
  }

  /** Sessions that the snapshot did not name are no longer kept. */
  #forgetOthers(): void {
    const named = this.#snapshot;
    if (named === undefined) return;
    for (const id of [...this.#known.keys()]) {
      if (!named.has(id)) this.#known.delete(id);
    }
    this.#snapshot = undefined;
    this.complete.value = true;
  }

  #draw(): void {
    // Ids are UUIDv7: their order is that of creation.
    const sorted = [...this.#known.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
    for (const session of sorted.slice(KEPT)) this.#known.delete(session.id);
    this.sessions.value = sorted.slice(0, KEPT);
  }
}
