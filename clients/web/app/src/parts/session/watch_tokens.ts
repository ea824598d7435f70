const KEY = "vidence.watch_tokens";
const KEPT = 50;

type Entry = readonly [sessionId: string, token: string];

function entries(): readonly Entry[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as readonly Entry[];
  } catch {
    return [];
  }
}

/** The watch token of a session that was begun in this tab; empty where it was not. */
export function watchTokenOf(sessionId: string): string {
  return entries().find(([id]) => id === sessionId)?.[1] ?? "";
}

/** Keeps the watch token of a session for as long as the tab is open; the newest fifty. */
export function keepWatchToken(sessionId: string, token: string): void {
  const kept = [...entries().filter(([id]) => id !== sessionId), [sessionId, token] as const].slice(-KEPT);
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}
