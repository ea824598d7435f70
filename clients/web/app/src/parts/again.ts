import { failureOf, isPassing } from "@vidence/client";

const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 20_000;

/** How calls are repeated. */
export interface Again {
  readonly signal: AbortSignal;
  /** Hears that the call is tried again, and that it went through after all. */
  readonly onWaiting?: (waiting: boolean) => void;
  readonly random?: () => number;
}

/**
 * Makes a call that may be repeated until it is answered: failures that pass are waited for, any other is thrown.
 *
 * The pause doubles with each failure up to 20 s, from what the server named, with jitter.
 */
export async function again<R>(call: () => Promise<R>, options: Again): Promise<R> {
  for (let failures = 1; ; failures += 1) {
    options.signal.throwIfAborted();
    try {
      const answer = await call();
      if (failures > 1) options.onWaiting?.(false);
      return answer;
    } catch (error) {
      const failure = failureOf(error);
      if (options.signal.aborted || !isPassing(failure)) throw error;
      options.onWaiting?.(true);
      const longest = Math.min(MAX_PAUSE_MS, (failure.retryDelayMs ?? FIRST_PAUSE_MS) * 2 ** (failures - 1));
      await pause(longest * (0.5 + (options.random ?? Math.random)() / 2), options.signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      globalThis.removeEventListener("online", over);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    globalThis.addEventListener("online", over);
    signal.addEventListener("abort", over);
  });
}
