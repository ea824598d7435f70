import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { rowsInView } from "./rows_in_view";
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

/** Rows that are drawn beyond either edge of the view, so that scrolling finds them there. */
const AROUND = 8;

/** A list of which only the rows in view exist: a hundred thousand rows cost as much as twenty. */
export function VirtualList<T>({ items, keyOf, rowHeight, row, label }: Props<T>): JSX.Element {
  const view = useRef<HTMLDivElement>(null);
  const heightPx = rowHeight * textSize.value;
  const [seen, setSeen] = useState({ scrolledPx: 0, viewPx: 0 });
  useLayoutEffect(() => {
    const element = view.current;
    if (element === null) return undefined;
    const look = (): void => {
      setSeen({ scrolledPx: element.scrollTop, viewPx: element.clientHeight });
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  const { first, end } = rowsInView(seen.scrolledPx, seen.viewPx, heightPx, items.length, AROUND);
  return (
    // A region that scrolls takes the focus, so that keys can move it.
    <div class="virtual-list" ref={view} role="list" aria-label={label} tabIndex={0}>
      <div style={{ height: `${items.length * heightPx}px` }}>
        {items.slice(first, end).map((item, place) => (
          <div
            key={keyOf(item)}
            role="listitem"
            data-key={keyOf(item)}
            aria-setsize={items.length}
            aria-posinset={first + place + 1}
            style={{ height: `${heightPx}px`, transform: `translateY(${(first + place) * heightPx}px)` }}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
}
