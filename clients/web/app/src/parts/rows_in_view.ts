/** The part of a list that is drawn: rows `first` to `end`, without `end`. */
export interface RowsInView {
  readonly first: number;
  readonly end: number;
}

/**
 * Which rows are in view, and some on either side, of a list whose rows are all equally high.
 *
 * Takes the same time for any number of rows: a feed of ten thousand asks ten times a second.
 */
export function rowsInView(
  scrolledPx: number,
  viewPx: number,
  rowPx: number,
  count: number,
  around: number,
): RowsInView {
  const first = Math.floor(scrolledPx / rowPx) - around;
  const end = Math.ceil((scrolledPx + viewPx) / rowPx) + around;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}
