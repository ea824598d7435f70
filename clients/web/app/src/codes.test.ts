import { BatchStateSchema } from "@protos/vidence/batch/v1/batch_pb";
import { GateVerdictSchema } from "@protos/vidence/capture/v1/quality_pb";
import { CaptureEventSchema, ChallengeSchema } from "@protos/vidence/capture/v1/session_event_pb";
import {
  CheckVerdictSchema,
  SessionFailureSchema,
  SessionStateSchema,
  TargetSchema,
} from "@protos/vidence/capture/v1/session_pb";
import { FieldSourceSchema } from "@protos/vidence/extraction/v1/document_pb";
import { SeveritySchema } from "@protos/vidence/event/v1/event_pb";
import { SearchModeSchema } from "@protos/vidence/library/v1/search_pb";
import { VerdictSchema } from "@protos/vidence/review/v1/review_pb";
import { describe, expect, it } from "vitest";

import batch from "./pages/batch/words/en.json";
import capture from "./pages/capture/words/en.json";
import dashboard from "./pages/dashboard/words/en.json";
import library from "./pages/library/words/en.json";
import review from "./pages/review/words/en.json";
import sessions from "./pages/sessions/words/en.json";
import session from "./parts/session/words/en.json";

interface Codes {
  readonly typeName: string;
  readonly values: readonly { readonly number: number }[];
}

const row = ({ typeName, values }: Codes, words: object, group: string) => ({
  name: `${typeName} as ${group}`,
  keys: values.filter(({ number }) => number !== 0).map(({ number }) => `${group}.${number}`),
  words,
});

const ENUMS = [
  row(BatchStateSchema, batch, "batch"),
  row(ChallengeSchema, session, "challenge"),
  row(CheckVerdictSchema, session, "verdict"),
  row(FieldSourceSchema, capture, "source"),
  row(GateVerdictSchema, capture, "gate"),
  row(SearchModeSchema, library, "mode"),
  row(SessionFailureSchema, session, "failure"),
  row(SessionStateSchema, session, "state"),
  row(SeveritySchema, dashboard, "severity"),
  row(TargetSchema, session, "target"),
  row(VerdictSchema, review, "verdict"),
  row(VerdictSchema, review, "decide"),
];

describe("every code of the server has words", () => {
  it.each(ENUMS)("$name", ({ keys, words }) => {
    expect(keys.filter((key) => !(key in words))).toEqual([]);
  });

  it("every event of a session", () => {
    const payload = CaptureEventSchema.oneofs.find(({ name }) => name === "payload");
    const missing = payload?.fields
      .map(({ localName }) => `event.${localName}`)
      .filter((key) => !(key in sessions));
    expect(missing).toEqual([]);
  });
});
