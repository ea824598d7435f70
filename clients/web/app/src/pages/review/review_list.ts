import { signal } from "@preact/signals";
import type { Event } from "@protos/vidence/event/v1/event_pb";
import type { Review } from "@protos/vidence/review/v1/review_pb";
import { OnExpired, StartPosition } from "@protos/vidence/stream/v1/stream_control_pb";
import { failureOf, Watch, type WatchState } from "@vidence/client";

import { events, reviews as service } from "../../api";

const SETTLE_MS = 150;
const KEPT = 200;

/** The reviews that were changed last. The bus tells when there is something new. Bound: 200. */
export class ReviewList {
  /** Undefined until they are there. */
  readonly reviews = signal<readonly Review[] | undefined>(undefined);
  readonly state = signal<WatchState>("connecting");
  readonly failed = signal("");
  readonly #over = new AbortController();
  #watch: Watch<Event> | undefined;
  #asking = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly undecided: boolean) {}

  open(): void {
    this.#watch = new Watch<Event>({
      open: (cursor, signal) =>
        events.subscribe(
          {
            filter: { types: ["review.*"] },
            onExpired: OnExpired.GAP,
            start:
              cursor === ""
                ? { case: "position", value: StartPosition.LATEST }
                : { case: "afterCursor", value: cursor },
          },
          { signal },
        ),
      onEvents: () => {
        // Several changes at once are looked at once.
        this.#timer ??= setTimeout(() => void this.#load(), SETTLE_MS);
      },
      ask: async () => {
        await this.#load();
        if (this.failed.value !== "") throw new Error(this.failed.value);
      },
      onState: (state) => {
        this.state.value = state;
        // From here on nothing is missed.
        if (state === "live") void this.#load();
      },
    });
    void this.#watch.start();
  }

  close(): void {
    this.#over.abort();
    this.#watch?.close();
    clearTimeout(this.#timer);
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const asking = ++this.#asking;
    try {
      const { signal } = this.#over;
      const page = await service.listReviews({ pageSize: KEPT, undecided: this.undecided }, { signal });
      if (asking !== this.#asking) return;
      this.reviews.value = page.reviews;
      this.failed.value = "";
    } catch (error) {
      if (!this.#over.signal.aborted) this.failed.value = failureOf(error).message;
    }
  }
}
