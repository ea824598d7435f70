import { failureOf, isPassing } from "./errors";

/** What both ways of asking have in common. */
export interface Asking<M, R> {
  /** The stream: messages as they come. */
  readonly stream: (signal: AbortSignal) => AsyncIterable<M>;
  /** Hears each message. */
  readonly onMessage: (message: M) => void;
  /** The answer, when this message is the last; undefined otherwise. */
  readonly answerOf: (message: M) => R | undefined;
  /** The same question by one call without a stream, for networks that cut streams or hold them back. */
  readonly unary: (signal: AbortSignal) => Promise<R>;
  /** Hears that the unary call is used, and why. */
  readonly onFallback?: (why: string) => void;
  /** How long the stream's first message may take before streams count as held back, ms. */
  readonly firstMessageMs?: number;
  readonly signal?: AbortSignal;
}

const FIRST_MESSAGE_MS = 10_000;

/**
 * Asks by a stream, and by one call where streams do not come through; throws what the server answers.
 *
 * The work may be begun twice, so it must be a question that changes nothing.
 */
export async function ask<M, R>(asking: Asking<M, R>): Promise<R> {
  const outer = asking.signal ?? new AbortController().signal;
  const call = new AbortController();
  const stop = (): void => {
    call.abort(outer.reason);
  };
  outer.addEventListener("abort", stop);
  let heldBack = true;
  const timer = setTimeout(() => {
    if (heldBack) call.abort(new Error("held back"));
  }, asking.firstMessageMs ?? FIRST_MESSAGE_MS);
  try {
    for await (const message of asking.stream(call.signal)) {
      heldBack = false;
      asking.onMessage(message);
      const answer = asking.answerOf(message);
      if (answer !== undefined) return answer;
    }
  } catch (error) {
    if (outer.aborted || (!heldBack && !isPassing(failureOf(error)))) throw error;
    if (heldBack && !call.signal.aborted && !isPassing(failureOf(error))) throw error;
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", stop);
  }
  asking.onFallback?.(heldBack ? "held back" : "cut");
  return asking.unary(outer);
}
