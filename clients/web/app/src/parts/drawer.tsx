import "./drawer.css";

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { shared } from "../words";
import { wayBack } from "./way_back";

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Details beside the page. Escape closes it, and the focus goes back to where it was. */
export function Drawer({ title, onClose, children }: Props): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next frame: until then what was clicked may be drawn anew, and nothing would have the focus.
  useLayoutEffect(() => {
    const back = wayBack();
    dialog.current?.show();
    dialog.current?.querySelector("button")?.focus();
    return back;
  }, []);
  return (
    <dialog
      class="drawer"
      ref={dialog}
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header class="row spread">
        <h2>{title}</h2>
        <button type="button" class="plain" onClick={onClose}>
          {shared("close")}
        </button>
      </header>
      {children}
    </dialog>
  );
}
