/** When single calls begin after a stream was missed, and how long one waits for the next, ms. */
export const INSTEAD_AFTER_MS = 8000;
export const INSTEAD_EVERY_MS = 5000;

/** Asks by single calls while a stream does not come through. */
export class Instead {
  readonly #ask: (signal: AbortSignal) => Promise<void>;
  readonly #onAnswered: (answered: boolean) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #call: AbortController | undefined;

  constructor(ask: (signal: AbortSignal) => Promise<void>, onAnswered: (answered: boolean) => void) {
    this.#ask = ask;
    this.#onAnswered = onAnswered;
  }

  /** The stream is missing: calls begin when it stays away. */
  begin(): void {
    this.#timer ??= setTimeout(() => void this.#once(), INSTEAD_AFTER_MS);
  }

  /** The stream is back, or nothing is wanted any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#call?.abort();
    this.#call = undefined;
  }

  async #once(): Promise<void> {
    const call = (this.#call = new AbortController());
    const { signal } = call;
    const answered = await this.#ask(signal).then(
      () => true,
      () => false,
    );
    if (signal.aborted) return;
    this.#onAnswered(answered);
    this.#timer = setTimeout(() => void this.#once(), INSTEAD_EVERY_MS);
  }
}
