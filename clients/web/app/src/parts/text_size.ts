import { signal } from "@preact/signals";

const NORMAL_PX = 16;

/**
 * How large text is, in times of its normal size: more on very wide screens, and for people who asked for it.
 *
 * What is measured in pixels (rows of lists, charts) grows with it.
 */
export const textSize = signal(measured());

globalThis.addEventListener("resize", () => {
  textSize.value = measured();
});

function measured(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / NORMAL_PX || 1;
}
