import { hasEnded, type Row } from "./rows";

/** Ends that the pace is taken from: the newest, so that it follows a machine that gets slower. */
const MEASURED = 20;

/** How fast images are read. */
export interface Pace {
  /** From one end to the next, ms. */
  readonly intervalMs: number;
  /** The newest end, by the server's clock, ms since 1970. */
  readonly lastMs: number;
}

/** The pace of a run that began at `startMs`; undefined until two images have ended in it. */
export function paceOf(rows: readonly Row[], startMs: number): Pace | undefined {
  const ends = rows
    .flatMap((row) => (row.endMs !== undefined && row.endMs >= startMs ? [row.endMs] : []))
    .sort((a, b) => a - b);
  const last = ends.at(-1);
  if (last === undefined || ends.length < 2) return undefined;
  const measured = ends.slice(-MEASURED);
  const whole = measured.length === ends.length;
  const from = whole ? startMs : (measured[0] ?? startMs);
  return { intervalMs: (last - from) / (whole ? measured.length : measured.length - 1), lastMs: last };
}

/** Time until each row that waits will have been read, ms by index: they are read in the order of the batch. */
export function etas(rows: readonly Row[], pace: Pace, nowMs: number): ReadonlyMap<number, number> {
  const passed = Math.max(0, nowMs - pace.lastMs);
  const waiting = rows.filter((row) => !hasEnded(row));
  return new Map(
    waiting.map((row, place) => [row.index, Math.max(0, (place + 1) * pace.intervalMs - passed)]),
  );
}
