/**
 * Notices that nothing comes any more: first that it is late, then that the other side is dead.
 *
 * One timer, however many signs of life there are: it looks at the last one when that could be too old.
 */
export class Silence {
  readonly #onStale: () => void;
  readonly #onDead: () => void;
  #staleMs = Infinity;
  #deadMs = Infinity;
  #signMs = 0;
  #stale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onStale: () => void, onDead: () => void) {
    this.#onStale = onStale;
    this.#onDead = onDead;
  }

  /** Something came; from now on silence is measured anew, ms. */
  sign(deadMs: number, staleMs = Infinity): void {
    this.#signMs = performance.now();
    this.#stale = false;
    if (deadMs === this.#deadMs && staleMs === this.#staleMs && this.#timer !== undefined) return;
    this.#deadMs = deadMs;
    this.#staleMs = staleMs;
    this.#look();
  }

  /** Nothing is expected now. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.stop();
    const silentMs = performance.now() - this.#signMs;
    if (silentMs >= this.#deadMs) {
      this.#onDead();
      return;
    }
    if (silentMs >= this.#staleMs && !this.#stale) {
      this.#stale = true;
      this.#onStale();
    }
    const nextMs = this.#stale ? this.#deadMs : Math.min(this.#staleMs, this.#deadMs);
    this.#timer = setTimeout(() => {
      this.#look();
    }, nextMs - silentMs);
  }
}
