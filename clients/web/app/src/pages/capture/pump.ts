import { failureOf, isPassing } from "@vidence/client";

/** Where frames come from and go to. */
export interface Pumping {
  /** The newest picture; undefined when asked to stop. */
  readonly next: (stop: AbortSignal) => Promise<Uint8Array | undefined>;
  /** Sends one and returns when it was looked at. */
  readonly push: (picture: Uint8Array, number: number, time: Date) => Promise<void>;
  /** Whether anybody looks at frames now. */
  readonly wanted: () => boolean;
  /** Hears why it gave up. */
  readonly onEnd?: (reason: string) => void;
  readonly pauseMs?: number;
}

const PAUSE_MS = 1000;
const IDLE_MS = 50;
const ENDS: readonly string[] = ["SESSION_ENDED", "SESSION_NOT_FOUND", "SESSION_TOKEN_INVALID"];

/**
 * Sends frames one after the other, each time the newest there is: pictures that come while one is on its way are
 * left out, so a slow network or model makes the rate lower and never the delay longer.
 */
export async function pump(pumping: Pumping, stop: AbortSignal): Promise<void> {
  let number = 0;
  let last = 0;
  while (!stop.aborted) {
    if (!pumping.wanted()) {
      await rest(IDLE_MS, stop);
      continue;
    }
    const picture = await pumping.next(stop);
    if (picture === undefined) continue;
    number += 1;
    // The times must rise, also where a clock is set back.
    last = Math.max(Date.now(), last + 1);
    try {
      await pumping.push(picture, number, new Date(last));
    } catch (error) {
      const failure = failureOf(error);
      if (ENDS.includes(failure.reason)) {
        pumping.onEnd?.(failure.reason);
        return;
      }
      // A refused frame is told on the session's stream; only a server that is away is waited for.
      if (isPassing(failure)) await rest(failure.retryDelayMs ?? pumping.pauseMs ?? PAUSE_MS, stop);
    }
  }
}

function rest(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    }
    stop.addEventListener("abort", done);
  });
}
