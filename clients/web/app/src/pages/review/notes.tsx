import { useSignal } from "@preact/signals";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { JSX } from "preact";

import { fullTime } from "../../language";
import type { Room } from "./room";
import { say } from "./words";

const LONGEST = 4000;

/** What reviewers wrote down, and a place to write. */
export function Notes({ room, name }: { readonly room: Room; readonly name: string }): JSX.Element {
  const notes = room.notes.value;
  return (
    <section class="panel stack notes" aria-label={say("notes")}>
      <h2>{say("notes")}</h2>
      {notes.length === 0 && <p class="quiet">{say("notes.none")}</p>}
      <div role="log" aria-label={say("notes")}>
        <ol>
          {notes.map((note) => (
            <li key={note.noteId}>
              <p class="quiet">
                <strong>{note.reviewer}</strong>{" "}
                {note.createTime && <time>{fullTime(timestampDate(note.createTime))}</time>}
              </p>
              <p class="text">{note.text}</p>
            </li>
          ))}
        </ol>
      </div>
      {name !== "" && <NoteForm room={room} />}
    </section>
  );
}

function NoteForm({ room }: { readonly room: Room }): JSX.Element {
  const typed = useSignal("");
  const sending = useSignal(false);
  const send = async (): Promise<void> => {
    sending.value = true;
    const text = typed.value.trim();
    // What was not kept stays in the field.
    if (await room.note(text)) typed.value = "";
    sending.value = false;
  };
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <label class="stack">
        {say("note")}
        <textarea
          rows={3}
          maxLength={LONGEST}
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={sending.value || typed.value.trim() === ""}>
        {say("note.send")}
      </button>
    </form>
  );
}
