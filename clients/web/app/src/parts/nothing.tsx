import type { JSX } from "preact";

import { shared } from "../words";

interface Props {
  /** Whether it is known by now that there is nothing. */
  readonly known: boolean;
  /** Whether it cannot be known. */
  readonly failed: boolean;
  /** What there is nothing of, in words. */
  readonly empty: string;
  readonly panel?: boolean;
}

/** Stands where there is nothing to show: nothing yet, nothing at all, or nothing that could be had. */
export function Nothing({ known, failed, empty, panel = false }: Props): JSX.Element {
  const look = panel ? "panel quiet" : "quiet";
  if (failed) {
    return (
      <p class={look} role="alert">
        {shared("unavailable")}
      </p>
    );
  }
  return <p class={look}>{known ? empty : shared("loading")}</p>;
}
