import { describe, expect, it } from "vitest";

const FILES: Record<string, Record<string, string>> = import.meta.glob("./**/words/*.json", {
  eager: true,
  import: "default",
});
const ENGLISH = Object.keys(FILES).filter((path) => path.endsWith("/en.json"));
const holes = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

describe.each(ENGLISH)("%s", (path) => {
  it.each(["fil", "es"])("says the same in %s", (language) => {
    const english = FILES[path] ?? {};
    const other = FILES[path.replace("en.json", `${language}.json`)] ?? {};
    expect(Object.keys(other).sort()).toEqual(Object.keys(english).sort());
    for (const [key, text] of Object.entries(english)) {
      // Empty only where English is empty too.
      expect(other[key] === "", key).toBe(text === "");
      expect(holes(other[key] ?? ""), key).toEqual(holes(text));
    }
  });
});

it("finds the words", () => {
  expect(ENGLISH.length).toBeGreaterThan(1);
});
