import { create } from "@bufbuild/protobuf";
import { EventSchema, Severity } from "@protos/vidence/event/v1/event_pb";
import { StreamControlSchema } from "@protos/vidence/stream/v1/stream_control_pb";
import { expect, it, vi } from "vitest";

import { Feed } from "./feed";

const answers = vi.hoisted(() => ({
  list: [] as ((answer: unknown) => void)[],
  told: [] as unknown[],
  starts: [] as unknown[],
  next: (): unknown => undefined,
}));

vi.mock("../../api", () => ({
  events: {
    listEvents: () => new Promise((resolve) => answers.list.push(resolve)),
    subscribe: async function* ({ start }: { start: unknown }) {
      answers.starts.push(start);
      for (;;) {
        while (answers.told.length > 0) yield answers.told.shift();
        await new Promise((resolve) => (answers.next = resolve as never));
      }
    },
  },
}));

function listing(type: string): unknown {
  return { events: [create(EventSchema, { type, cursor: type })], cursor: `behind ${type}` };
}

it("goes on where the listing ended, also when nothing was listed", async () => {
  const feed = new Feed();
  const opening = feed.open({ types: "nothing.*", minimumSeverity: Severity.UNSPECIFIED });
  answers.list.at(-1)?.({ events: [], cursor: "c7" });
  await opening;
  expect(answers.starts.at(-1)).toEqual({ case: "afterCursor", value: "c7" });
  feed.close();
});

it("shows what was asked for last, whichever answer comes first", async () => {
  const feed = new Feed();
  const everything = feed.open({ types: "", minimumSeverity: Severity.UNSPECIFIED });
  const batches = feed.open({ types: "batch.*", minimumSeverity: Severity.UNSPECIFIED });
  answers.list.at(-1)?.(listing("batch.completed"));
  await batches;
  answers.list.at(-2)?.(listing("library.created"));
  await everything;
  expect(feed.events.value.map((event) => event.type)).toEqual(["batch.completed"]);
  feed.close();
});

function tell(number: number): void {
  const event = create(EventSchema, { type: `thing.${number}`, cursor: `c${number}` });
  answers.told.push({ events: [event], cursor: `c${number}`, previousCursor: `c${number - 1}` });
  answers.next();
}

it("draws an event that comes alone at once, and many at most twenty times a second", async () => {
  vi.useFakeTimers();
  const feed = new Feed();
  let drawings = 0;
  feed.events.subscribe(() => (drawings += 1));
  const opening = feed.open({ types: "", minimumSeverity: Severity.UNSPECIFIED });
  answers.list.at(-1)?.({ events: [], cursor: "c0" });
  await opening;
  const connected = {
    control: { case: "connected", value: { cursor: "c0", heartbeatPeriod: { seconds: 300n } } },
  };
  answers.told.push({
    events: [],
    control: create(StreamControlSchema, connected as never),
    cursor: "c0",
    previousCursor: "c0",
  });
  answers.next();
  await vi.advanceTimersByTimeAsync(1000);
  tell(1);
  await vi.advanceTimersByTimeAsync(20);
  expect(feed.events.value.map((event) => event.type)).toEqual(["thing.1"]);
  drawings = 0;
  for (let number = 2; number <= 201; number += 1) {
    tell(number);
    await vi.advanceTimersByTimeAsync(5);
  }
  await vi.advanceTimersByTimeAsync(200);
  expect(feed.events.value).toHaveLength(201);
  expect(feed.events.value[0]?.type).toBe("thing.201");
  expect(drawings).toBeLessThanOrEqual(21);
  feed.close();
  vi.useRealTimers();
});
