import { describe, expect, it } from "vitest";

import { filterOf, metadataOf, valueOf } from "./conditions";
import { markOf } from "./export";
import { chunksOf, told } from "./ingest";

describe("what is written about metadata", () => {
  it("has the type that it looks like", () => {
    expect(valueOf(" 7.5 ").value).toEqual({ case: "numberValue", value: 7.5 });
    expect(valueOf("true").value).toEqual({ case: "boolValue", value: true });
    expect(valueOf('"7"').value).toEqual({ case: "stringValue", value: "7" });
    expect(valueOf("7 days").value).toEqual({ case: "stringValue", value: "7 days" });
  });

  it("is a filter when it is complete", () => {
    expect(filterOf([{ key: "", operator: "is", value: "a" }])).toBeUndefined();
    expect(filterOf([{ key: "year", operator: "at_least", value: "" }])).toBeUndefined();
    const filter = filterOf([
      { key: "year", operator: "at_least", value: "1999" },
      { key: "kind", operator: "exists", value: "" },
    ]);
    const atLeast = { value: { case: "numberValue", value: 1999 } };
    expect(filter?.condition?.value).toEqual({
      filters: [
        { condition: { case: "range", value: { key: "year", atLeast } } },
        { condition: { case: "exists", value: { key: "kind" } } },
      ],
    });
  });

  it("is read line by line", () => {
    const read = metadataOf("year = 1999\nno property\nkind: a letter = short");
    expect(Object.keys(read)).toEqual(["year", "kind"]);
    expect(read.kind?.value).toEqual({ case: "stringValue", value: "a letter = short" });
  });
});

function file(text: string, size: number): Blob {
  const bytes = new TextEncoder().encode(text);
  const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.slice(at * size, (at + 1) * size),
  );
  const stream = (): ReadableStream =>
    new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
  return { stream } as unknown as Blob;
}

describe("a file of documents", () => {
  it("is cut into groups of whole lines, wherever its bytes are cut", async () => {
    const lines = Array.from({ length: 150 }, (_, at) => `{"text": "señal ${at}"}`);
    const chunks = [];
    for await (const chunk of chunksOf(file(lines.join("\n"), 7))) chunks.push(chunk);
    expect(chunks.flatMap((chunk) => chunk.lines)).toEqual(lines);
    expect(chunks.map((chunk) => chunk.first)).toEqual([1, 65, 129]);
  });

  it("has a word on each line that was refused, by its place in the file", () => {
    const answer = [
      '{"result": {"line": "1", "document_id": "a", "state": "INGEST_STATE_CREATED"}}',
      '{"result": {"line": "2", "error": {"code": 3, "message": "The line is no JSON."}}}',
      '{"result": {"line": "3", "document_id": "b", "state": "INGEST_STATE_DUPLICATE"}}',
      '{"ingest_complete": {}}',
    ].join("\n");
    expect(told(answer, 65)).toMatchObject({
      created: 1,
      unchanged: 1,
      refused: 1,
      problems: [{ line: 66, message: "The line is no JSON." }],
    });
  });
});

describe("an export", () => {
  it("can go on at its checkpoints and ends with its last line", () => {
    expect(markOf('{"document":{"text":"checkpoint"}}')).toBeUndefined();
    expect(markOf('{"checkpoint":{"resume_token":"t","document_count":"5"}}')).toEqual({
      documents: 5,
      resumeToken: "t",
    });
    expect(markOf('{"export_complete": {"document_count": "9"}}')).toEqual({
      documents: 9,
      resumeToken: undefined,
    });
  });
});
