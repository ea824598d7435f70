import type { Document, ExtractedField } from "@protos/vidence/extraction/v1/document_pb";
import { ValidationVerdict } from "@protos/vidence/extraction/v1/document_pb";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { Drawer } from "../../parts/drawer";
import { documentTypeName, fieldName } from "../../parts/document/words";
import { percent } from "../../parts/units";
import type { Row } from "./rows";
import { say } from "./words";

interface Props {
  readonly row: Row;
  readonly document: Document;
  /** The picture, where it was chosen in this page. */
  readonly file: File | undefined;
  readonly onClose: () => void;
}

/** Everything that was read from an image. */
export function ResultDrawer({ row, document, file, onClose }: Props): JSX.Element {
  return (
    <Drawer title={row.fileName} onClose={onClose}>
      <p class="quiet">
        {documentTypeName(document.documentType)} ·{" "}
        {say("confidence", { percent: percent(document.typeConfidence) })}
      </p>
      {file && <Picture file={file} />}
      {document.fields.length === 0 && <p>{say("no.fields")}</p>}
      <dl class="fields">
        {document.fields.map((field) => (
          <FieldLine key={`${field.key} ${field.index}`} field={field} />
        ))}
      </dl>
    </Drawer>
  );
}

function Picture({ file }: { readonly file: File }): JSX.Element | null {
  const [url, setUrl] = useState("");
  const [shown, setShown] = useState(true);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    setShown(true);
    return () => {
      URL.revokeObjectURL(made);
    };
  }, [file]);
  if (url === "" || !shown) return null;
  // What the browser cannot show (a PDF, a TIFF) is left out.
  return (
    <img
      class="picture"
      src={url}
      alt={say("picture")}
      onError={() => {
        setShown(false);
      }}
    />
  );
}

function FieldLine({ field }: { readonly field: ExtractedField }): JSX.Element {
  const verdict = field.validation?.verdict;
  const rule = field.validation?.rule ?? "";
  return (
    <div>
      <dt class="quiet">
        {fieldName(field.key, field.index)} <span class="mono">{field.key}</span>
      </dt>
      <dd>
        <span>{field.value || field.rawValue}</span>
        <span class="quiet">{percent(field.confidence)}</span>
        {(verdict === ValidationVerdict.VALID || verdict === ValidationVerdict.INVALID) && (
          <span class={`badge ${verdict === ValidationVerdict.VALID ? "good" : "bad"}`}>
            {say(`verdict.${verdict}`, { rule })}
          </span>
        )}
      </dd>
    </div>
  );
}
