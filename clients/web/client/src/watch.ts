import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Gap, StreamControl } from "@protos/vidence/stream/v1/stream_control_pb";

import { type Failure, failureOf, isPassing } from "./errors";
import { Instead } from "./instead";
import { Silence } from "./silence";

/** The four fields of every watch response of the suite. */
export interface WatchResponse<E> {
  readonly events: E[];
  readonly control?: StreamControl | undefined;
  readonly cursor: string;
  readonly previousCursor: string;
}

/**
 * How a watch stands.
 *
 * - `connecting`: a call is being opened; `live`: everything that happens arrives.
 * - `stale`: nothing came for one and a half heartbeat periods.
 * - `lost`: the connection broke; the next one is tried after a pause and goes on where this one stood.
 * - `asking`: the stream does not come through, and single calls tell instead, every few seconds; it is tried again.
 * - `ended`: the server says that what was watched is over; `failed`: connecting again cannot help.
 * - `closed`: closed here.
 */
export type WatchState = "connecting" | "live" | "stale" | "lost" | "asking" | "ended" | "failed" | "closed";

export interface WatchOptions<E> {
  /** Opens the call; an empty cursor stands for the start that is wanted first. */
  readonly open: (afterCursor: string, signal: AbortSignal) => AsyncIterable<WatchResponse<E>>;
  /** Hears events in order, each once, as many at a time as one message brought. */
  readonly onEvents: (events: readonly E[]) => void;
  /** Hears what the server cannot deliver any more. */
  readonly onGap?: (gap: Gap) => void;
  readonly onState?: (state: WatchState, failure: Failure | undefined) => void;
  /**
   * Takes the present state by single calls. It is called again and again while the stream does not come through, as
   * behind a proxy that cuts streams or holds them back; what it takes may be told once more when the stream is back.
   */
  readonly ask?: (signal: AbortSignal) => Promise<void>;
  /** Go on after this cursor. */
  readonly afterCursor?: string;
  /** Longest pause between two attempts, ms. */
  readonly maxPauseMs?: number;
  /** Numbers in [0, 1) for jitter. */
  readonly random?: () => number;
}

const FIRST_SILENCE_MS = 20_000;
const STALE_PERIODS = 1.5;
const SILENT_PERIODS = 2.5;
const DEFAULT_RETRY_MS = 1000;
const MAX_PAUSE_MS = 30_000;
/** How long messages are handed on without a break for the page, ms: well under a frame. */
const STRETCH_MS = 8;

/**
 * Watches a log of the suite over as many connections as it takes: nothing is lost or told twice in between.
 *
 * A connection that is silent for two and a half heartbeat periods is dead. The next attempt waits a random part of
 * a time that doubles with every failure, from what the server named; it does not wait when the browser comes back
 * online.
 */
export class Watch<E> {
  readonly #options: WatchOptions<E>;
  readonly #random: () => number;
  #state: WatchState = "connecting";
  #told: WatchState = "connecting";
  #cursor: string;
  #call: AbortController | undefined;
  readonly #silence = new Silence(
    () => {
      this.#enter("stale");
    },
    () => this.#call?.abort(new Error("the connection is silent")),
  );
  readonly #instead: Instead | undefined;
  /** Whether single calls tell what the stream should. */
  #answered = false;
  /** When the page had its turn last. */
  #turnMs = 0;
  #wake: (() => void) | undefined;
  #failures = 0;
  #retryMs = DEFAULT_RETRY_MS;
  #done: Promise<void> | undefined;

  constructor(options: WatchOptions<E>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#cursor = options.afterCursor ?? "";
    if (options.ask) {
      this.#instead = new Instead(options.ask, (answered) => {
        this.#answered = answered;
        this.#tell();
      });
    }
  }

  /** Behind everything that was told: keep it, and pass it as `afterCursor` to go on there. */
  get cursor(): string {
    return this.#cursor;
  }

  get state(): WatchState {
    return this.#told;
  }

  /** Begins; the promise resolves when the watch has ended, failed or was closed. */
  start(): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  /** Ends the watch. */
  close(): void {
    this.#enter("closed");
    this.#call?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const online = (): void => this.#wake?.();
    this.#instead?.begin();
    globalThis.addEventListener("online", online);
    try {
      while (!this.#over()) {
        await this.#attempt();
      }
    } finally {
      globalThis.removeEventListener("online", online);
      this.#instead?.end();
    }
  }

  async #attempt(): Promise<void> {
    this.#enter("connecting");
    try {
      await this.#connection();
    } catch (error) {
      if (this.#over()) return;
      const failure = failureOf(error);
      this.#failures += 1;
      this.#enter(isPassing(failure) ? "lost" : "failed", failure);
      if (this.#state === "lost") await this.#pause(failure.retryDelayMs ?? this.#retryMs);
    }
  }

  async #connection(): Promise<void> {
    const call = new AbortController();
    this.#call = call;
    this.#silence.sign(FIRST_SILENCE_MS);
    this.#turnMs = performance.now();
    let heartbeat: Duration | undefined;
    try {
      for await (const response of this.#options.open(this.#cursor, call.signal)) {
        if (this.#over()) return;
        heartbeat = this.#opened(response, heartbeat);
        const periodMs = inMs(heartbeat);
        this.#silence.sign(SILENT_PERIODS * periodMs, STALE_PERIODS * periodMs);
        this.#take(response);
        await this.#breathe();
      }
    } finally {
      this.#silence.stop();
      call.abort();
    }
    if (!this.#over()) throw new Error("the server ended the stream without a word");
  }

  /** Checks that a message follows the one before it; gives the heartbeat period of the connection. */
  #opened(response: WatchResponse<E>, known: Duration | undefined): Duration {
    const control = response.control?.control;
    if (known !== undefined) {
      if (response.previousCursor !== this.#cursor) throw new Error("a message is missing");
      return known;
    }
    if (control?.case !== "connected" || control.value.heartbeatPeriod === undefined) {
      throw new Error("the stream did not begin with `connected`");
    }
    if (this.#cursor !== "" && response.cursor !== this.#cursor) {
      throw new Error("the stream does not start where it was asked to");
    }
    if (control.value.retryDelay) this.#retryMs = inMs(control.value.retryDelay);
    return control.value.heartbeatPeriod;
  }

  #take(response: WatchResponse<E>): void {
    this.#failures = 0;
    const control = response.control?.control;
    if (control?.case === "gap") this.#options.onGap?.(control.value);
    if (response.events.length > 0) this.#options.onEvents(response.events);
    this.#cursor = response.cursor;
    if (control?.case === "disconnected") {
      if (control.value.retryDelay === undefined) this.#enter("ended");
      else this.#retryMs = inMs(control.value.retryDelay);
      return;
    }
    if (this.#state !== "live" && !this.#over()) this.#enter("live");
  }

  /** Lets the page draw and hear its user between messages that have piled up. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#turnMs < STRETCH_MS) return;
    await nextTurn();
    this.#turnMs = performance.now();
  }

  /** Full jitter: a thousand pages that lost the same server must not come back at the same moment. */
  async #pause(baseMs: number): Promise<void> {
    const longest = Math.min(this.#options.maxPauseMs ?? MAX_PAUSE_MS, baseMs * 2 ** (this.#failures - 1));
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, this.#random() * longest);
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #over(): boolean {
    return this.#state === "ended" || this.#state === "failed" || this.#state === "closed";
  }

  #enter(state: WatchState, failure?: Failure): void {
    if (this.#over() || state === this.#state) return;
    this.#state = state;
    if (state === "lost") this.#instead?.begin();
    else if (state !== "connecting") {
      this.#instead?.end();
      this.#answered = false;
    }
    this.#tell(failure);
  }

  #tell(failure?: Failure): void {
    // How the next attempt stands matters to nobody who gets answers.
    const told = this.#answered ? "asking" : this.#state;
    if (told === this.#told) return;
    this.#told = told;
    this.#options.onState?.(told, failure);
  }
}

type Timer = ReturnType<typeof setTimeout>;

/** The next task of the page. A timer would be held back where nobody looks at the page. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

function inMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
