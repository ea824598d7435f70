import { inEachLanguage } from "../language";

type Unit = "second" | "minute" | "kilobyte" | "megabyte";

const units = inEachLanguage((tag) => {
  const of = (unit: Unit, digits: number): Intl.NumberFormat =>
    new Intl.NumberFormat(tag, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits });
  return {
    second: of("second", 0),
    minute: of("minute", 0),
    kilobyte: of("kilobyte", 0),
    megabyte: of("megabyte", 1),
  } satisfies Record<Unit, Intl.NumberFormat>;
});
const percents = inEachLanguage((tag) => new Intl.NumberFormat(tag, { style: "percent" }));
const scores = inEachLanguage((tag) => new Intl.NumberFormat(tag, { maximumSignificantDigits: 3 }));

/** A length of time, rounded as people say it: `40 sec`, `3 min`. */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 90 ? units().second.format(seconds) : units().minute.format(Math.round(seconds / 60));
}

/** A share of one. */
export function percent(share: number): string {
  return percents().format(share);
}

/** A score: three digits that count. */
export function decimal(value: number): string {
  return scores().format(value);
}

/** A size of a file. */
export function size(bytes: number): string {
  return bytes >= 1_000_000 ? megabytes(bytes) : units().kilobyte.format(Math.ceil(bytes / 1e3));
}

/** A size of much, in megabytes. */
export function megabytes(bytes: number): string {
  return units().megabyte.format(bytes / 1e6);
}
