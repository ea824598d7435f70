import { language } from "../language";

/** A length of time, rounded as people say it: `40 sec`, `3 min`. */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const [value, unit] = seconds < 90 ? [seconds, "second"] : [Math.round(seconds / 60), "minute"];
  return new Intl.NumberFormat(language.value, { style: "unit", unit, unitDisplay: "short" }).format(value);
}

/** A share of one. */
export function percent(share: number): string {
  return new Intl.NumberFormat(language.value, { style: "percent" }).format(share);
}

/** A size of a file. */
export function size(bytes: number): string {
  const mega = bytes >= 1_000_000;
  return new Intl.NumberFormat(language.value, {
    style: "unit",
    unit: mega ? "megabyte" : "kilobyte",
    maximumFractionDigits: mega ? 1 : 0,
  }).format(mega ? bytes / 1e6 : Math.ceil(bytes / 1e3));
}
