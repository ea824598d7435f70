import {
  type ExtractedField,
  FieldSource,
  ValidationVerdict,
} from "@protos/vidence/extraction/v1/document_pb";
import type { JSX } from "preact";

import { documentTypeName, fieldName } from "../../parts/document/words";
import { percent } from "../../parts/units";
import { fieldId, type Reading } from "./reading";
import { hasWord, say, word } from "./words";

interface Props {
  readonly reading: Reading;
  /** Hears the field that the person looks at; undefined when none. */
  readonly onPick?: (id: string | undefined) => void;
}

/** The fields of a document, each as soon as it was read. */
export function FieldList({ reading, onPick }: Props): JSX.Element {
  const { state, fields } = reading;
  return (
    <section class="panel stack fields" aria-label={say("fields")}>
      <header class="row spread">
        <h2>{say("fields")}</h2>
        {reading.documentType !== "" && (
          <span class="badge accent">{documentTypeName(reading.documentType)}</span>
        )}
      </header>
      {state === "reading" && <ReadingProgress fraction={reading.fraction} />}
      {state === "failed" && (
        <p role="alert" class="note bad">
          {say("unread", { message: failureWords(reading.failure) })}
        </p>
      )}
      {fields.length === 0 && state !== "failed" && (
        <p class="quiet">{say(state === "reading" ? "fields.none" : "fields.empty")}</p>
      )}
      <dl>
        {fields.map((field) => (
          <FieldLine key={fieldId(field)} field={field} reading={reading} onPick={onPick} />
        ))}
      </dl>
    </section>
  );
}

function ReadingProgress({ fraction }: { readonly fraction: number }): JSX.Element {
  return <progress aria-label={say("progress")} value={fraction} max={1} />;
}

function FieldLine({
  field,
  reading,
  onPick,
}: {
  readonly field: ExtractedField;
  readonly reading: Reading;
  readonly onPick: Props["onPick"];
}): JSX.Element {
  const value = field.value === "" ? field.rawValue : field.value;
  const code = field.key.startsWith("mrz.") || field.key === "document.number";
  return (
    <div class="field" onMouseEnter={() => onPick?.(fieldId(field))} onMouseLeave={() => onPick?.(undefined)}>
      <dt class="quiet">{titleOf(field, reading)}</dt>
      <dd>
        <strong class={code ? "mono" : ""}>{value}</strong>
        <FieldNotes field={field} />
      </dd>
    </div>
  );
}

function FieldNotes({ field }: { readonly field: ExtractedField }): JSX.Element {
  const { validation } = field;
  return (
    <small class="quiet row">
      {validation?.verdict === ValidationVerdict.VALID && <span class="good">{say("validation.1")}</span>}
      {validation?.verdict === ValidationVerdict.INVALID && (
        <span class="bad">{say("validation.2", { message: validation.message })}</span>
      )}
      {field.corrections.length > 0 && <span class="warning">{say("corrected")}</span>}
      {field.source !== FieldSource.UNSPECIFIED && <span>{word("source", field.source)}</span>}
      <span>{say("confidence", { percent: percent(field.confidence) })}</span>
    </small>
  );
}

function titleOf(field: ExtractedField, reading: Reading): string {
  const planned = reading.planned.find((other) => other.key === field.key);
  return fieldName(field.key, field.index, planned?.title);
}

function failureWords(failure: string): string {
  return hasWord("unread", failure) ? word("unread", failure) : failure;
}
