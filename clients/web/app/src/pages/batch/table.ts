import { type Document, FieldSource, ValidationVerdict } from "@protos/vidence/extraction/v1/document_pb";

import type { Row } from "./rows";

const VERDICTS: Readonly<Record<ValidationVerdict, string>> = {
  [ValidationVerdict.UNSPECIFIED]: "",
  [ValidationVerdict.VALID]: "valid",
  [ValidationVerdict.INVALID]: "invalid",
  [ValidationVerdict.NOT_CHECKED]: "not_checked",
};

const SOURCES: Readonly<Record<FieldSource, string>> = {
  [FieldSource.UNSPECIFIED]: "",
  [FieldSource.VISUAL]: "visual",
  [FieldSource.MRZ]: "mrz",
  [FieldSource.BARCODE]: "barcode",
  [FieldSource.TEXT_LAYER]: "text_layer",
};

/** One line of JSON per image. */
export function jsonLines(rows: readonly Row[]): string {
  return rows.map((row) => JSON.stringify(plain(row)) + "\n").join("");
}

function plain(row: Row): unknown {
  return {
    index: row.index,
    file_name: row.fileName,
    state: row.stage,
    ...(row.document && {
      document_type: row.document.documentType,
      type_confidence: row.document.typeConfidence,
      fields: row.document.fields.map(fieldOf),
    }),
    ...(row.message !== undefined && { error: { reason: row.reason, message: row.message } }),
  };
}

const COLUMNS = [
  "index",
  "file_name",
  "state",
  "document_type",
  "key",
  "key_index",
  "value",
  "raw_value",
  "confidence",
  "source",
  "verdict",
  "reason",
  "message",
] as const;

/** One line per value that was read, and one per image without values; RFC 4180, with a head. */
export function csv(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => {
    const first = [row.index, row.fileName, row.stage, row.document?.documentType ?? ""];
    const last = [row.reason ?? "", row.message ?? ""];
    const fields = row.document?.fields.map(fieldOf) ?? [];
    if (fields.length === 0) return [[...first, "", "", "", "", "", "", "", ...last]];
    return fields.map((field) => [...first, ...Object.values(field), ...last]);
  });
  return [COLUMNS, ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("");
}

function fieldOf(field: Document["fields"][number]) {
  return {
    key: field.key,
    index: field.index,
    value: field.value,
    raw_value: field.rawValue,
    confidence: Number(field.confidence.toFixed(4)),
    source: SOURCES[field.source],
    verdict: VERDICTS[field.validation?.verdict ?? ValidationVerdict.UNSPECIFIED],
  };
}

/** Text that a spreadsheet would take for a formula gets an apostrophe before it: it came from somebody's document. */
function cell(value: string | number): string {
  const text = String(value);
  const safe = typeof value === "string" && /^[=+@\t\r]|^-(?![\d.,]+$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
