import "./drawer.css";

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { shared } from "../words";

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Details beside the page. Escape closes it, and the focus goes back to where it was. */
export function Drawer({ title, onClose, children }: Props): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.show();
    dialog.current?.querySelector("button")?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
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
