import { type Signal, useSignal } from "@preact/signals";
import type { DocumentType } from "@protos/vidence/extraction/v1/document_pb";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { extraction } from "../../api";
import { documentTypeName } from "../../parts/document/words";
import { say } from "./words";

/** What kind of documents the images show, where somebody knows. */
export function TypeChoice({ type }: { readonly type: Signal<string> }): JSX.Element {
  const types = useSignal<readonly DocumentType[]>([]);
  useEffect(() => {
    const call = new AbortController();
    extraction.listDocumentTypes({}, { signal: call.signal }).then(
      (answer) => (types.value = answer.documentTypes),
      // Without the list, each type is detected.
      () => undefined,
    );
    return () => {
      call.abort();
    };
  }, [types]);
  return (
    <label class="row">
      {say("type")}
      <select value={type.value} onChange={(event) => (type.value = event.currentTarget.value)}>
        <option value="">{say("type.detect")}</option>
        {types.value.map(({ key, title }) => (
          <option key={key} value={key}>
            {documentTypeName(key, title)}
          </option>
        ))}
      </select>
    </label>
  );
}
