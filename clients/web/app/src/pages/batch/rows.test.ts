import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { BatchStage, BatchState } from "@protos/vidence/batch/v1/batch_pb";
import { type BatchEvent, BatchEventSchema } from "@protos/vidence/batch/v1/batch_service_pb";
import { FieldSource } from "@protos/vidence/extraction/v1/document_pb";
import { describe, expect, it } from "vitest";

import { etas, paceOf } from "./eta";
import { apply, putBack, type Row, type Rows, tally } from "./rows";
import { csv, jsonLines } from "./table";

function rows(...stages: Row["stage"][]): Rows {
  return new Map(
    stages.map((stage, index) => [index, { index, fileName: `${index}.jpg`, sizeBytes: 1, stage }]),
  );
}

function told(
  payload: NonNullable<Parameters<typeof create<typeof BatchEventSchema>>[1]>["payload"],
  ms = 0,
) {
  return create(BatchEventSchema, { payload, emitTime: timestampFromMs(ms) } as BatchEvent);
}

function progress(index: number, stage: BatchStage): BatchEvent {
  return told({ case: "progress", value: { index, stage, fileName: `${index}.jpg` } });
}

function result(index: number, ms = 0): BatchEvent {
  const field = { key: "document.number", value: '=1+"1"', rawValue: "A, B", confidence: 0.5 };
  const document = { documentType: "passport", typeConfidence: 1, fields: [field] };
  return told({ case: "result", value: { index, document, fileName: `${index}.jpg` } }, ms);
}

function error(index: number, ms = 0): BatchEvent {
  const value = { index, reason: "IMAGE_CORRUPT", error: { code: 3, message: "It is damaged." } };
  return told({ case: "error", value }, ms);
}

function stages(of: Rows): string[] {
  return [...of.values()].map((row) => row.stage);
}

describe("rows of a batch", () => {
  it("follow what happens", () => {
    const list = rows("queued", "queued", "queued");
    apply(list, progress(0, BatchStage.READING));
    apply(list, progress(1, BatchStage.RETRY));
    expect(stages(list)).toEqual(["reading", "again", "queued"]);
    apply(list, result(0));
    apply(list, progress(0, BatchStage.DONE));
    apply(list, error(1));
    expect(stages(list)).toEqual(["read", "failed", "queued"]);
    expect(list.get(1)).toMatchObject({ reason: "IMAGE_CORRUPT", message: "It is damaged." });
  });

  it("do not change when the same is told again, as after a reload", () => {
    const list = rows("queued", "queued");
    const events = [progress(0, BatchStage.READING), result(0), progress(0, BatchStage.DONE), error(1)];
    for (const event of events) apply(list, event);
    const before = [...list.values()];
    for (const event of events) apply(list, event);
    expect([...list.values()]).toEqual(before);
  });

  it("are made for images that the page did not know", () => {
    const list = rows();
    apply(list, result(7));
    expect(list.get(7)).toMatchObject({ fileName: "7.jpg", stage: "read" });
  });

  it("are cancelled where they had not ended", () => {
    const list = rows("read", "reading", "queued", "refused");
    apply(list, told({ case: "complete", value: { state: BatchState.CANCELLED } }));
    expect(stages(list)).toEqual(["read", "cancelled", "cancelled", "refused"]);
  });

  it("forget why they failed when they are put back", () => {
    const list = rows("queued");
    apply(list, error(0));
    putBack(list, [0]);
    expect(list.get(0)).toEqual({ index: 0, fileName: "0.jpg", sizeBytes: 1, stage: "queued" });
  });

  it("are counted", () => {
    const list = [...rows("read", "failed", "refused", "cancelled", "queued").values()];
    expect(tally(list)).toEqual({ total: 5, read: 1, failed: 2, cancelled: 1, done: 4 });
  });
});

describe("the time that is left", () => {
  it("is unknown until two images have ended", () => {
    const list = rows("queued", "queued", "queued");
    expect(paceOf([...list.values()], 0)).toBeUndefined();
    apply(list, result(0, 1000));
    expect(paceOf([...list.values()], 0)).toBeUndefined();
  });

  it("follows from the pace and shrinks with time", () => {
    const list = rows("queued", "queued", "queued", "queued");
    apply(list, result(0, 1000));
    apply(list, result(2, 4000));
    const pace = paceOf([...list.values()], 0);
    expect(pace).toEqual({ intervalMs: 2000, lastMs: 4000 });
    if (!pace) return;
    expect([...etas([...list.values()], pace, 4500)]).toEqual([
      [1, 1500],
      [3, 3500],
    ]);
    expect(etas([...list.values()], pace, 9e9).get(1)).toBe(0);
  });

  it("does not count what ended in an earlier run", () => {
    const list = rows("queued", "queued");
    apply(list, result(0, 1000));
    apply(list, result(1, 2000));
    expect(paceOf([...list.values()], 5000)).toBeUndefined();
  });
});

describe("a table of the results", () => {
  const list = rows("queued", "queued");
  apply(list, result(0));
  apply(list, error(1));
  const all = [...list.values()];

  it("has one line of JSON per image", () => {
    const lines = jsonLines(all)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual([
      expect.objectContaining({ index: 0, state: "read", document_type: "passport" }),
      expect.objectContaining({ index: 1, error: { reason: "IMAGE_CORRUPT", message: "It is damaged." } }),
    ]);
  });

  it("has one line of CSV per value, and none that a spreadsheet would run", () => {
    const lines = csv(all).split("\r\n");
    expect(lines).toHaveLength(4);
    expect(lines[1]).toBe(`0,0.jpg,read,passport,document.number,0,"'=1+""1""","A, B",0.5,,,,`);
    expect(lines[2]).toBe("1,1.jpg,failed,,,,,,,,,IMAGE_CORRUPT,It is damaged.");
  });

  it("names where values come from by codes, not by words for people", () => {
    const sources = Object.values(FieldSource).filter((source) => typeof source === "number");
    const fields = sources.map((source) => ({ key: "text", source }));
    const value = { index: 0, fileName: "0.jpg", document: { documentType: "text", fields } };
    const read = rows("queued");
    apply(read, told({ case: "result", value }));
    const [line] = jsonLines([...read.values()]).split("\n");
    const codes = (JSON.parse(line ?? "") as { fields: { source: string }[] }).fields.map(
      ({ source }) => source,
    );
    expect(codes).toEqual(["", "visual", "mrz", "barcode", "text_layer"]);
  });
});
