import { signal } from "@preact/signals";
import type { Attendant, Note, Review, Verdict } from "@protos/vidence/review/v1/review_pb";
import type { ReviewEvent } from "@protos/vidence/review/v1/review_service_pb";
import { OnExpired } from "@protos/vidence/stream/v1/stream_control_pb";
import { type Failure, failureOf, Watch, type WatchState } from "@vidence/client";

import { reviews as service } from "../../api";
import { again } from "../../parts/again";

type Service = typeof service;

const FIRST_RENEWAL_MS = 10_000;
const RENEWALS = 3;

/** One review as everybody sees it now; what is done here is told by the stream, as it is to all others. */
export class Room {
  readonly review = signal<Review | undefined>(undefined);
  readonly notes = signal<readonly Note[]>([]);
  readonly attendants = signal<readonly Attendant[]>([]);
  readonly state = signal<WatchState>("connecting");
  /** Why the last thing that was tried here did not happen. */
  readonly refused = signal<Failure | undefined>(undefined);
  readonly #id = randomId();
  readonly #service: Service;
  readonly #over = new AbortController();
  #watch: Watch<ReviewEvent> | undefined;
  #renewal: Timer | undefined;
  #reviewer = "";

  constructor(
    readonly subject: string,
    reviews: Service = service,
  ) {
    this.#service = reviews;
  }

  /** Shows the review and follows it, until `close`. */
  async open(): Promise<void> {
    try {
      const cursor = await this.#load();
      this.#follow(cursor);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.refused.value = failureOf(error);
      this.state.value = "failed";
    }
  }

  /** Takes part under a name: the others see it. */
  enter(reviewer: string): void {
    this.#reviewer = reviewer;
    clearTimeout(this.#renewal);
    void this.#attend();
  }

  close(): void {
    this.#over.abort();
    this.#watch?.close();
    clearTimeout(this.#renewal);
    // Where it does not arrive, the others see it when the lease is over.
    if (this.#reviewer !== "") {
      void this.#service
        .leaveReview({ subject: this.subject, attendanceId: this.#id })
        .catch(() => undefined);
    }
  }

  claim(takeOver: boolean): Promise<boolean> {
    const expectedRevision = this.review.value?.revision ?? 0n;
    return this.#try((reviewer) =>
      this.#service.claimReview({ subject: this.subject, reviewer, expectedRevision, takeOver }),
    );
  }

  release(): Promise<boolean> {
    return this.#try((reviewer) => this.#service.releaseReview({ subject: this.subject, reviewer }));
  }

  /** Decides on the review as it is shown here: where it was changed meanwhile, nothing happens but the telling. */
  decide(verdict: Verdict): Promise<boolean> {
    const expectedRevision = this.review.value?.revision ?? 0n;
    return this.#try((reviewer) =>
      this.#service.setVerdict({ subject: this.subject, reviewer, expectedRevision, verdict }),
    );
  }

  note(text: string): Promise<boolean> {
    const noteId = randomId();
    return this.#try((reviewer) => this.#service.addNote({ subject: this.subject, reviewer, noteId, text }));
  }

  async #load(): Promise<string> {
    const { signal } = this.#over;
    const whole = await again(() => this.#service.getReview({ subject: this.subject }, { signal }), {
      signal,
    });
    this.review.value = whole.review;
    this.notes.value = whole.notes;
    this.attendants.value = whole.attendants;
    return whole.cursor;
  }

  #follow(afterCursor: string): void {
    if (this.#over.signal.aborted) return;
    this.#watch = new Watch<ReviewEvent>({
      afterCursor,
      open: (cursor, signal) =>
        this.#service.watchReview(
          {
            subject: this.subject,
            onExpired: OnExpired.GAP,
            ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }),
          },
          { signal },
        ),
      onEvents: (events) => {
        events.forEach((event) => {
          this.#take(event);
        });
      },
      // What the log has forgotten is in the review all the same.
      onGap: () => void this.#load().catch(() => undefined),
      ask: async () => {
        await this.#load();
      },
      onState: (state) => {
        this.state.value = state;
      },
    });
    void this.#watch.start();
  }

  #take({ payload }: ReviewEvent): void {
    if (payload.case === "presence") {
      this.attendants.value = payload.value.attendants;
      return;
    }
    if (payload.case === undefined) return;
    this.#show(payload.value.review);
    if (payload.case === "noteAdded") this.#add(payload.value.note);
  }

  #show(review: Review | undefined): void {
    if (review && review.revision > (this.review.value?.revision ?? -1n)) this.review.value = review;
  }

  #add(note: Note | undefined): void {
    if (note === undefined || this.notes.value.some(({ noteId }) => noteId === note.noteId)) return;
    this.notes.value = [...this.notes.value, note];
  }

  async #try(call: (reviewer: string) => Promise<{ review?: Review | undefined }>): Promise<boolean> {
    this.refused.value = undefined;
    const { signal } = this.#over;
    try {
      // Each of these calls changes nothing when it is repeated.
      const { review } = await again(() => call(this.#reviewer), { signal });
      this.#show(review);
      return true;
    } catch (error) {
      if (!signal.aborted) this.refused.value = failureOf(error);
      return false;
    }
  }

  async #attend(): Promise<void> {
    const { signal } = this.#over;
    const request = { subject: this.subject, reviewer: this.#reviewer, attendanceId: this.#id };
    let renewalMs = FIRST_RENEWAL_MS;
    try {
      const { leaseDuration } = await this.#service.attendReview(request, { signal });
      renewalMs =
        (Number(leaseDuration?.seconds ?? 0n) * 1000 + (leaseDuration?.nanos ?? 0) / 1e6) / RENEWALS;
    } catch {
      // The next time, then.
    }
    if (signal.aborted || request.reviewer !== this.#reviewer) return;
    this.#renewal = setTimeout(() => void this.#attend(), renewalMs);
  }
}

type Timer = ReturnType<typeof setTimeout>;

function randomId(): string {
  // `randomUUID` is for secure pages only.
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
