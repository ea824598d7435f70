import { expect, it } from "vitest";

import { type RowsInView, rowsInView } from "./rows_in_view";

const lists: [string, Parameters<typeof rowsInView>, RowsInView][] = [
  ["nothing", [0, 400, 40, 0, 8], { first: 0, end: 0 }],
  ["the beginning", [0, 400, 40, 10_000, 8], { first: 0, end: 18 }],
  ["a place in the middle", [4010, 400, 40, 10_000, 8], { first: 92, end: 119 }],
  ["the end", [399_600, 400, 40, 10_000, 8], { first: 9982, end: 10_000 }],
  ["a list that became shorter", [399_600, 400, 40, 3, 8], { first: 3, end: 3 }],
  ["fewer rows than the view has room for", [0, 400, 40, 3, 8], { first: 0, end: 3 }],
  ["a view that is not laid out yet", [0, 0, 40, 100, 8], { first: 0, end: 8 }],
];

it.each(lists)("shows %s", (_, place, rows) => {
  expect(rowsInView(...place)).toEqual(rows);
});
