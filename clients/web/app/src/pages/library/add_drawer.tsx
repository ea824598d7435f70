import { useSignal } from "@preact/signals";
import { failureOf } from "@vidence/client";
import type { JSX } from "preact";

import { libraries } from "../../api";
import { Drawer } from "../../parts/drawer";
import { metadataOf } from "./conditions";
import { say, why } from "./words";

interface Props {
  readonly libraryId: string;
  readonly onClose: () => void;
}

/** Takes a single document. */
export function AddDrawer({ libraryId, onClose }: Props): JSX.Element {
  const told = useSignal("");
  const save = async (form: HTMLFormElement): Promise<void> => {
    const written = new FormData(form);
    const of = (name: string): string => textOf(written.get(name));
    const document = { documentId: of("id").trim(), text: of("text"), metadata: metadataOf(of("metadata")) };
    try {
      const answer = await libraries.createDocument({ libraryId, document });
      const id = answer.document?.documentId ?? "";
      told.value = say(answer.repeated ? "add.known" : "add.saved", { id });
      form.reset();
    } catch (error) {
      const { reason, message } = failureOf(error);
      told.value = why(reason, say("failure", { message }));
    }
  };
  return (
    <Drawer title={say("add")} onClose={onClose}>
      <form
        class="stack add"
        onSubmit={async (event) => {
          event.preventDefault();
          await save(event.currentTarget);
        }}
      >
        <label>
          {say("add.id")}
          <input type="text" name="id" maxLength={256} />
        </label>
        <label>
          {say("add.text")}
          <textarea name="text" rows={8} required />
        </label>
        <label>
          {say("add.metadata")}
          <textarea name="metadata" rows={4} class="mono" />
        </label>
        <button type="submit" class="primary">
          {say("add.save")}
        </button>
        <p role="status">{told.value}</p>
      </form>
    </Drawer>
  );
}

function textOf(value: FormDataEntryValue | null): string {
  return typeof value === "string" ? value : "";
}
