import { effect, signal } from "@preact/signals";

/** Languages of the pages. Adding one is adding it here and a file beside each `en.json`. */
export const LANGUAGES = { en: "English", fil: "Filipino", es: "Español" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "vidence.language";

function initial(): Language {
  const wanted = [localStorage.getItem(KEY), ...navigator.languages.map((tag) => tag.split("-")[0])];
  return (wanted.find((tag) => tag != null && tag in LANGUAGES) ?? "en") as Language;
}

/** The language in use. */
export const language = signal<Language>(initial());

effect(() => {
  document.documentElement.lang = language.value;
  localStorage.setItem(KEY, language.value);
});

type Words = Readonly<Record<string, string>>;

/**
 * Words of a page or part, in every language with the same keys. `{name}` stands for a value.
 *
 * A component that uses them is drawn again when the language changes.
 */
export function words<W extends Words>(
  en: W,
  fil: Record<keyof W, string>,
  es: Record<keyof W, string>,
): (key: keyof W, values?: Readonly<Record<string, string | number>>) => string {
  const all = { en, fil, es };
  return (key, values = {}) =>
    all[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/**
 * Gives the formatter of the language in use, made once for each.
 *
 * Making one costs more than drawing a row of a list, using one next to nothing.
 */
export function inEachLanguage<F>(make: (tag: Language) => F): () => F {
  const made = new Map<Language, F>();
  return () => {
    const tag = language.value;
    const formatter = made.get(tag) ?? make(tag);
    made.set(tag, formatter);
    return formatter;
  };
}

const clockTimes = inEachLanguage((tag) => new Intl.DateTimeFormat(tag, { timeStyle: "medium" }));
const fullTimes = inEachLanguage(
  (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "medium" }),
);
const numbers = inEachLanguage((tag) => new Intl.NumberFormat(tag));

/** A point in time as people of the language write it. */
export function clockTime(date: Date): string {
  return clockTimes().format(date);
}

/** A date with its time. */
export function fullTime(date: Date): string {
  return fullTimes().format(date);
}

/** A number. */
export function count(value: number | bigint): string {
  return numbers().format(value);
}
