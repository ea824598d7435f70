import type { Document, ExtractedField, PlannedField } from "@protos/vidence/extraction/v1/document_pb";
import type { ExtractDocumentResponse } from "@protos/vidence/extraction/v1/extraction_service_pb";
import type { ImageSize } from "@protos/vidence/type/v1/geometry_pb";

/** What an extraction tells, on a stream of its own or on that of a session. */
export type ReadingPayload = Exclude<
  ExtractDocumentResponse["payload"],
  { case: "connected" | "heartbeat" | undefined }
>;

/** How far the reading of a document is. */
export interface Reading {
  readonly state: "reading" | "complete" | "failed";
  /** Key of the type; empty until it is known. */
  readonly documentType: string;
  /** Size of the picture that boxes refer to, px. */
  readonly imageSize: ImageSize | undefined;
  readonly planned: readonly PlannedField[];
  /** In the order in which they were first read. */
  readonly fields: readonly ExtractedField[];
  /** 0 to 1. */
  readonly fraction: number;
  /** Why it failed, in the server's words. */
  readonly failure: string;
}

export const UNREAD: Reading = {
  state: "reading",
  documentType: "",
  imageSize: undefined,
  planned: [],
  fields: [],
  fraction: 0,
  failure: "",
};

/** Names a field within its document. */
export function fieldId(field: ExtractedField): string {
  return `${field.key} ${field.index}`;
}

/** What is known after one more message. */
export function told(reading: Reading, payload: ReadingPayload): Reading {
  switch (payload.case) {
    case "extractionStart": {
      const { documentType, imageSize, plannedFields } = payload.value;
      return { ...UNREAD, documentType, imageSize, planned: plannedFields };
    }
    case "documentTypeDetected": {
      const { documentType, plannedFields } = payload.value;
      return { ...reading, documentType, planned: plannedFields };
    }
    case "extractionField":
      return payload.value.field
        ? { ...reading, fields: withField(reading.fields, payload.value.field) }
        : reading;
    case "extractionProgress":
      return { ...reading, fraction: Math.max(reading.fraction, payload.value.fraction) };
    case "extractionComplete":
      return payload.value.document ? completed(reading, payload.value.document) : reading;
    case "extractionFailed":
      return { ...reading, state: "failed", failure: payload.value.status?.message ?? "" };
  }
}

/** The whole document at once: nothing stays that the result does not hold. */
export function completed(reading: Reading, document: Document): Reading {
  return {
    ...reading,
    state: "complete",
    documentType: document.documentType,
    fields: document.fields,
    fraction: 1,
  };
}

function withField(fields: readonly ExtractedField[], field: ExtractedField): readonly ExtractedField[] {
  const known = fields.find((other) => fieldId(other) === fieldId(field));
  if (known === undefined) return [...fields, field];
  // A late message with an older reading must not replace a better one.
  if (known.revision >= field.revision) return fields;
  return fields.map((other) => (other === known ? field : other));
}
