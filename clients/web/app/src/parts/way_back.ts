const FOCUSABLE = "button, a[href], input, select, textarea, [tabindex]";

/**
 * Remembers what has the focus; the function that it gives brings the focus back there.
 *
 * A row of a list may be drawn anew or leave the list meanwhile: then the focus goes to what stands for the same thing
 * now (`data-key`), else to the list itself. It never falls back to the beginning of the page.
 */
export function wayBack(): () => void {
  const before = document.activeElement;
  const row = before?.closest<HTMLElement>("[data-key]");
  const key = row?.dataset.key;
  const label = before?.closest("[role=list]")?.getAttribute("aria-label");
  return () => {
    const target = [before, standIn(key), listOf(label)].find((each) => each?.isConnected === true);
    if (target instanceof HTMLElement) target.focus();
  };
}

function standIn(key: string | undefined): Element | null {
  return key === undefined
    ? null
    : document.querySelector(`[data-key="${CSS.escape(key)}"] :is(${FOCUSABLE})`);
}

function listOf(label: string | null | undefined): Element | null {
  const lists = [...document.querySelectorAll("[role=list][tabindex]")];
  if (label === undefined || label === null) return null;
  return lists.find((list) => list.getAttribute("aria-label") === label) ?? lists[0] ?? null;
}
