import { effect, signal } from "@preact/signals";

export type Scheme = "system" | "light" | "dark";
const KEY = "vidence.scheme";

/** Light, dark, or as the system is. */
export const scheme = signal<Scheme>((localStorage.getItem(KEY) as Scheme | null) ?? "system");

effect(() => {
  localStorage.setItem(KEY, scheme.value);
  if (scheme.value === "system") delete document.documentElement.dataset.scheme;
  else document.documentElement.dataset.scheme = scheme.value;
});
