import type { MessageInitShape } from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import type { Event, EventFilterSchema, Severity } from "@protos/vidence/event/v1/event_pb";
import { OnExpired, StartPosition } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch, type WatchState } from "@vidence/client";

import { events as service } from "../../api";
import { again } from "../../parts/again";

/** What is shown of the bus. */
export interface Selection {
  readonly types: string;
  readonly minimumSeverity: Severity;
}

type Wanted = MessageInitShape<typeof EventFilterSchema>;

const KEPT = 10_000;
const PAGE = 200;
/** Events that come sooner after a drawing than this are drawn together, ms; one that comes alone is drawn at once. */
const PACE_MS = 50;

/** The newest events of the bus, the newest first. Bound: 10,000; the oldest leave the page. */
export class Feed {
  readonly events = signal<readonly Event[]>([]);
  readonly state = signal<WatchState>("connecting");
  /** Whether what happened before is there. */
  readonly listed = signal(false);
  /** Events that were lost, as far as the server knows their number. */
  readonly missed = signal(0n);
  #watch: Watch<Event> | undefined;
  #fresh: Event[] = [];
  /** What single calls told: the stream tells it again when it is back. */
  #asked = new Set<string>();
  #drawing: number | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #drawnMs = -PACE_MS;
  /** What was asked for last: only its answer is shown. */
  #call = new AbortController();
  /** Where the watch begins; unset until the listing is there. */
  #begin: string | undefined;

  /** Watches what a selection asks for, from the newest events on; a server that is away is waited for. */
  async open(selection: Selection): Promise<void> {
    this.close();
    this.events.value = [];
    this.#asked.clear();
    this.#begin = undefined;
    this.listed.value = false;
    this.state.value = "connecting";
    const filter = filterOf(selection);
    const { signal } = (this.#call = new AbortController());
    // The page begins with what happened last, and goes on from exactly there.
    const listed = await again(() => service.listEvents({ filter, pageSize: PAGE }, { signal }), {
      signal,
    }).catch((error: unknown) => {
      // Meanwhile something else may have been asked for.
      if (!signal.aborted) throw error;
    });
    if (listed === undefined || signal.aborted) return;
    this.events.value = listed.events;
    this.listed.value = true;
    this.#begin = listed.cursor;
    this.#follow(filter, this.#begin);
  }

  /** Goes on after a pause; nothing that happened meanwhile is left out. */
  resume(selection: Selection): void {
    if (this.#begin === undefined) void this.open(selection).catch(() => (this.state.value = "failed"));
    else this.#follow(filterOf(selection), this.#watch?.cursor ?? this.#begin);
  }

  close(): void {
    this.#call.abort();
    this.#watch?.close();
    this.#draw();
  }

  #follow(filter: Wanted, afterCursor: string): void {
    this.#watch?.close();
    const watch = new Watch<Event>({
      afterCursor,
      open: (cursor, signal) =>
        service.subscribe(
          {
            filter,
            onExpired: OnExpired.GAP,
            start:
              cursor === ""
                ? { case: "position", value: StartPosition.LATEST }
                : { case: "afterCursor", value: cursor },
          },
          { signal },
        ),
      onEvents: (list) => {
        this.#fresh.push(...list.filter(({ cursor }) => !this.#asked.delete(cursor)));
        this.#drawSoon();
      },
      ask: (signal) => this.#ask(filter, signal),
      onGap: (gap) => (this.missed.value += gap.missedCount ?? 0n),
      onState: (state) => {
        if (this.#watch === watch) this.state.value = state;
      },
    });
    this.#watch = watch;
    this.state.value = watch.state;
    void watch.start();
  }

  /** Takes what is newer than what is shown. */
  async #ask(filter: Wanted, signal: AbortSignal): Promise<void> {
    const known = new Set(this.events.value.map(({ cursor }) => cursor));
    const fresh: Event[] = [];
    let pageToken = "";
    do {
      const page = await service.listEvents({ filter, pageSize: PAGE, pageToken }, { signal });
      const unknown = page.events.filter(({ cursor }) => !known.has(cursor));
      fresh.push(...unknown);
      pageToken = unknown.length < page.events.length ? "" : page.nextPageToken;
    } while (pageToken !== "" && fresh.length < KEPT);
    for (const { cursor } of fresh) this.#asked.add(cursor);
    this.events.value = [...fresh, ...this.events.value].slice(0, KEPT);
  }

  #drawSoon(): void {
    const early = this.#drawnMs + PACE_MS - performance.now();
    this.#pause ??= setTimeout(
      () => {
        this.#drawing ??= requestAnimationFrame(() => {
          this.#draw();
        });
      },
      Math.max(0, early),
    );
  }

  #draw(): void {
    clearTimeout(this.#pause);
    if (this.#drawing !== undefined) cancelAnimationFrame(this.#drawing);
    this.#pause = this.#drawing = undefined;
    this.#drawnMs = performance.now();
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh.reverse();
    this.#fresh = [];
    this.events.value = [...fresh, ...this.events.value].slice(0, KEPT);
  }
}

function filterOf(selection: Selection): Wanted {
  return {
    types: selection.types.split(/[\s,]+/).filter((type) => type !== ""),
    minimumSeverity: selection.minimumSeverity,
  };
}
