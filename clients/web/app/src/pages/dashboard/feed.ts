import type { MessageInitShape } from "@bufbuild/protobuf";
import { signal } from "@preact/signals";
import type { Event, EventFilterSchema, Severity } from "@protos/vidence/event/v1/event_pb";
import { OnExpired, StartPosition } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch, type WatchState } from "@vidence/client";

import { events as service } from "../../api";

/** What is shown of the bus. */
export interface Selection {
  readonly types: string;
  readonly minimumSeverity: Severity;
}

type Wanted = MessageInitShape<typeof EventFilterSchema>;

const KEPT = 10_000;
/** Events that come sooner after a drawing than this are drawn together, ms; one that comes alone is drawn at once. */
const PACE_MS = 100;

/** The newest events of the bus, the newest first. Bound: 10,000; the oldest leave the page. */
export class Feed {
  readonly events = signal<readonly Event[]>([]);
  readonly state = signal<WatchState>("connecting");
  /** Events that were lost, as far as the server knows their number. */
  readonly missed = signal(0n);
  #watch: Watch<Event> | undefined;
  #fresh: Event[] = [];
  #drawing: number | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #drawnMs = -PACE_MS;
  /** Counts what was asked for: only the last answer is shown. */
  #opening = 0;

  /** Watches what a selection asks for, from the newest events on. */
  async open(selection: Selection): Promise<void> {
    this.close();
    this.events.value = [];
    const filter = filterOf(selection);
    const opening = ++this.#opening;
    // The page begins with what happened last, and goes on from exactly there.
    const listed = await service.listEvents({ filter, pageSize: 200 });
    // Meanwhile something else may have been asked for.
    if (opening !== this.#opening) return;
    this.events.value = listed.events;
    this.#follow(filter, listed.events[0]?.cursor ?? "");
  }

  /** Goes on after a pause; nothing that happened meanwhile is left out. */
  resume(selection: Selection): void {
    this.#follow(filterOf(selection), this.#watch?.cursor ?? this.events.value[0]?.cursor ?? "");
  }

  close(): void {
    this.#opening += 1;
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
        this.#fresh.push(...list);
        this.#drawSoon();
      },
      onGap: (gap) => (this.missed.value += gap.missedCount ?? 0n),
      onState: (state) => {
        if (this.#watch === watch) this.state.value = state;
      },
    });
    this.#watch = watch;
    this.state.value = watch.state;
    void watch.start();
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
