import { signal } from "@preact/signals";

/** What the bridge says of the suite. */
export interface Health {
  readonly status: string;
  readonly version: string;
  /** State of each service by its name. */
  readonly services: Readonly<Record<string, string>>;
}

export const UNREACHABLE: Health = { status: "unreachable", version: "", services: {} };
const PERIOD_MS = 5000;

/** Reads an answer of `/health`; undefined where it is none. */
export function parsed(body: unknown): Health | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { status, version, services } = body as Record<string, unknown>;
  if (typeof status !== "string" || typeof services !== "object" || services === null) return undefined;
  const states = Object.entries(services).map(([name, state]) => [name, String(state)] as const);
  return {
    status,
    version: typeof version === "string" ? version : "",
    services: Object.fromEntries(states),
  };
}

/** Asks the bridge how the services are, every five seconds while the page is looked at. */
export class HealthPoll {
  readonly health = signal<Health | undefined>(undefined);
  #call: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    this.close();
    const call = new AbortController();
    this.#call = call;
    void this.#ask(call.signal);
  }

  close(): void {
    this.#call?.abort();
    clearTimeout(this.#timer);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    if (!document.hidden) {
      try {
        // 503 has the same body: nothing is serving.
        const answer = await fetch("/health", { signal, cache: "no-store" });
        this.health.value = parsed(await answer.json()) ?? UNREACHABLE;
      } catch {
        if (!signal.aborted) this.health.value = UNREACHABLE;
      }
    }
    if (!signal.aborted) this.#timer = setTimeout(() => void this.#ask(signal), PERIOD_MS);
  }
}
