import { type JSX, render } from "preact";
import { useState } from "preact/hooks";
import { act } from "preact/test-utils";
import { beforeEach, expect, it, vi } from "vitest";

import { Drawer } from "./drawer";

let redraw: (life: number) => void;
let open: (shown: boolean) => void;

/** A list of one row; another life of it is another element for the same thing. */
function Scene(): JSX.Element {
  const [life, setLife] = useState(0);
  const [shown, setShown] = useState(false);
  redraw = setLife;
  open = setShown;
  return (
    <>
      <div role="list" aria-label="Events" tabIndex={0}>
        {life >= 0 && (
          <div key={life} role="listitem" data-key="5bd1.01">
            <button type="button">row</button>
          </div>
        )}
      </div>
      {shown && <Drawer title="Details" onClose={() => undefined} children="all of it" />}
    </>
  );
}

function row(): HTMLElement | null {
  return document.querySelector("[role=listitem] button");
}

beforeEach(() => {
  vi.stubGlobal("CSS", { escape: (text: string) => text.replace(/\W/g, "\\$&") });
  HTMLDialogElement.prototype.show = function show() {
    this.open = true;
  };
  const root = document.createElement("div");
  document.body.replaceChildren(root);
  void act(() => {
    render(<Scene />, root);
  });
  row()?.focus();
});

it("gives the focus back to the row that opened it", () => {
  void act(() => {
    open(true);
  });
  expect(document.activeElement).toBe(document.querySelector("dialog button"));
  void act(() => {
    open(false);
  });
  expect(document.activeElement).toBe(row());
});

it("gives the focus to the row that stands for the same thing, where the first was drawn anew", () => {
  void act(() => {
    open(true);
  });
  void act(() => {
    redraw(1);
  });
  void act(() => {
    open(false);
  });
  expect(document.activeElement).toBe(row());
});

it("gives the focus to the list, where the row has left it", () => {
  void act(() => {
    open(true);
  });
  void act(() => {
    redraw(-1);
  });
  void act(() => {
    open(false);
  });
  expect(document.activeElement).toBe(document.querySelector("[role=list]"));
});

it("remembers the row at once: it may be drawn anew within the same frame", async () => {
  open(true);
  await Promise.resolve(); // what a render is put off by; effects come a frame later
  await Promise.resolve();
  redraw(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  void act(() => {
    open(false);
  });
  expect(document.activeElement).toBe(row());
});
