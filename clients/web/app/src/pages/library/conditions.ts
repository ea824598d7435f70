import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { FilterSchema, MetadataValue, MetadataValueSchema } from "@protos/vidence/library/v1/library_pb";

type Filter = MessageInitShape<typeof FilterSchema>;
type Value = MessageInitShape<typeof MetadataValueSchema>;

export const OPERATORS = ["is", "is_not", "at_least", "at_most", "exists"] as const;
export type Operator = (typeof OPERATORS)[number];

/** A condition on metadata, as somebody writes it. */
export interface Condition {
  readonly key: string;
  readonly operator: Operator;
  readonly value: string;
}

/** What is written is a number or a yes/no where it looks like one; `"7"` in quotes is text. */
export function valueOf(text: string): Value {
  const written = text.trim();
  const quoted = /^"(.*)"$/.exec(written);
  if (quoted) return { value: { case: "stringValue", value: quoted[1] ?? "" } };
  if (/^(true|false)$/.test(written)) return { value: { case: "boolValue", value: written === "true" } };
  if (/^-?\d+(\.\d+)?$/.test(written)) return { value: { case: "numberValue", value: Number(written) } };
  return { value: { case: "stringValue", value: written } };
}

/** A value as people read it. */
export function shown(value: MetadataValue): string {
  if (value.value.case === undefined) return "";
  return value.value.case === "timeValue"
    ? timestampDate(value.value.value).toISOString()
    : String(value.value.value);
}

/** The filter of all conditions that are complete; undefined where there is none. */
export function filterOf(conditions: readonly Condition[]): Filter | undefined {
  const filters = conditions.flatMap((condition) => one(condition) ?? []);
  return filters.length === 0 ? undefined : { condition: { case: "and", value: { filters } } };
}

function one({ key, operator, value: text }: Condition): Filter | undefined {
  const name = key.trim();
  if (name === "" || (operator !== "exists" && text.trim() === "")) return undefined;
  const value = valueOf(text);
  switch (operator) {
    case "is":
      return { condition: { case: "equal", value: { key: name, value } } };
    case "is_not":
      return { condition: { case: "notEqual", value: { key: name, value } } };
    case "at_least":
      return { condition: { case: "range", value: { key: name, atLeast: value } } };
    case "at_most":
      return { condition: { case: "range", value: { key: name, atMost: value } } };
    case "exists":
      return { condition: { case: "exists", value: { key: name } } };
  }
}

/** Metadata as somebody writes them: one `name = value` per line; other lines are passed over. */
export function metadataOf(text: string): Record<string, Value> {
  const lines = text.split("\n").flatMap((line) => {
    const [, key, value] = /^\s*([A-Za-z_][\w.-]{0,63})\s*[=:]\s*(.+)$/.exec(line) ?? [];
    return key !== undefined && value !== undefined ? [[key, valueOf(value)] as const] : [];
  });
  return Object.fromEntries(lines);
}
