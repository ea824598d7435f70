import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import { type Chosen, droppedFiles, filesOf } from "./files";
import { say } from "./words";

/** Takes files and folders, dropped or chosen. */
export function DropZone({ onFiles }: { readonly onFiles: (files: readonly Chosen[]) => void }): JSX.Element {
  const over = useSignal(false);
  const nothing = useSignal(false);
  const take = (files: readonly Chosen[]): void => {
    nothing.value = files.length === 0;
    if (files.length > 0) onFiles(files);
  };
  return (
    <section
      class={`drop-zone ${over.value ? "over" : ""}`}
      aria-label={say("drop")}
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={() => (over.value = false)}
      onDrop={async (event) => {
        event.preventDefault();
        over.value = false;
        if (event.dataTransfer) take(await droppedFiles(event.dataTransfer));
      }}
    >
      <strong>{say(over.value ? "drop.now" : "drop")}</strong>
      <p class="quiet">{say("drop.hint")}</p>
      <div class="row">
        <Chooser words={say("choose.folder")} folder onFiles={take} primary />
        <Chooser words={say("choose.files")} onFiles={take} />
      </div>
      {nothing.value && <p role="alert">{say("no.files")}</p>}
    </section>
  );
}

interface ChooserProps {
  readonly words: string;
  readonly folder?: boolean;
  readonly primary?: boolean;
  readonly onFiles: (files: readonly Chosen[]) => void;
}

function Chooser({ words, folder = false, primary = false, onFiles }: ChooserProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={primary ? "primary" : ""} onClick={() => input.current?.click()}>
        {words}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-choose={folder ? "folder" : "files"}
        {...(folder ? { webkitdirectory: true } : { accept: "image/*,application/pdf" })}
        onChange={(event) => {
          onFiles(filesOf(event.currentTarget.files ?? new DataTransfer().files));
          // The same files may be chosen again.
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
