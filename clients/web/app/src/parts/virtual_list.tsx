import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useReducer, useRef, useState } from "preact/hooks";

import { textSize } from "./text_size";

interface Props<T> {
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  /** Height of a row where text has its normal size, px. */
  readonly rowHeight: number;
  readonly row: (item: T) => ComponentChildren;
  /** What the list is, for those who cannot see it. */
  readonly label: string;
}

/** A list of which only the rows in view exist: a hundred thousand rows cost as much as twenty. */
export function VirtualList<T>({ items, keyOf, rowHeight, row, label }: Props<T>): JSX.Element {
  const view = useRef<HTMLDivElement>(null);
  const heightPx = rowHeight * textSize.value;
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0);
  const [virtualizer] = useState(
    () =>
      new Virtualizer<HTMLDivElement, HTMLDivElement>({
        count: 0,
        getScrollElement: () => view.current,
        estimateSize: () => rowHeight,
        overscan: 8,
        scrollToFn: elementScroll,
        observeElementRect,
        observeElementOffset,
        onChange: () => {
          redraw(undefined);
        },
      }),
  );
  virtualizer.setOptions({
    ...virtualizer.options,
    count: items.length,
    estimateSize: () => heightPx,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : keyOf(item);
    },
  });
  useEffect(() => virtualizer._didMount(), [virtualizer]);
  useEffect(() => {
    virtualizer.measure();
  }, [virtualizer, heightPx]);
  useEffect(() => {
    virtualizer._willUpdate();
  });
  return (
    // A region that scrolls takes the focus, so that keys can move it.
    <div class="virtual-list" ref={view} role="list" aria-label={label} tabIndex={0}>
      <div style={{ height: `${virtualizer.getTotalSize()}px` }}>
        {virtualizer.getVirtualItems().map((place) => {
          const item = items[place.index];
          return item === undefined ? null : (
            <div
              key={place.key}
              role="listitem"
              data-key={String(place.key)}
              aria-setsize={items.length}
              aria-posinset={place.index + 1}
              style={{ height: `${heightPx}px`, transform: `translateY(${place.start}px)` }}
            >
              {row(item)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
