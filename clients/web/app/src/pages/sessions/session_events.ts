import { signal } from "@preact/signals";
import type { CaptureEvent, Guidance } from "@protos/vidence/capture/v1/session_event_pb";
import { OnExpired } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch, type WatchState } from "@vidence/client";

import { capture } from "../../api";
import { isTold } from "./story";

const KEPT = 500;

/** What happens in one session, the newest first. Bound: 500 events; the oldest leave the page. */
export class SessionEvents {
  readonly events = signal<readonly CaptureEvent[]>([]);
  readonly guidance = signal<Guidance | undefined>(undefined);
  readonly state = signal<WatchState>("closed");
  /** Whether the token was not one of the session. */
  readonly refused = signal(false);
  #watch: Watch<CaptureEvent> | undefined;

  watch(sessionId: string, token: string): void {
    this.close();
    this.events.value = [];
    this.refused.value = false;
    const watch = new Watch<CaptureEvent>({
      open: (cursor, signal) =>
        capture.watchSession(
          {
            sessionId,
            sessionToken: token,
            onExpired: OnExpired.GAP,
            ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }),
          },
          { signal },
        ),
      onEvents: (events) => {
        this.#take(events);
      },
      onState: (state, failure) => {
        if (this.#watch !== watch) return;
        this.state.value = state;
        this.refused.value = failure?.reason === "SESSION_TOKEN_INVALID";
      },
    });
    this.#watch = watch;
    this.state.value = watch.state;
    void watch.start();
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.state.value = "closed";
  }

  #take(events: readonly CaptureEvent[]): void {
    for (const { payload } of events) {
      if (payload.case === "guidance") this.guidance.value = payload.value;
    }
    const fresh = events.filter(isTold).reverse();
    if (fresh.length > 0) this.events.value = [...fresh, ...this.events.value].slice(0, KEPT);
  }
}
