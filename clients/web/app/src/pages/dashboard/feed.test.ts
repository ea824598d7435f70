import { create } from "@bufbuild/protobuf";
import { EventSchema, Severity } from "@protos/vidence/event/v1/event_pb";
import { expect, it, vi } from "vitest";

import { Feed } from "./feed";

const answers = vi.hoisted(() => ({ list: [] as ((answer: unknown) => void)[] }));

vi.mock("../../api", () => ({
  events: {
    listEvents: () => new Promise((resolve) => answers.list.push(resolve)),
    subscribe: async function* () {
      await new Promise(() => undefined);
      yield undefined;
    },
  },
}));

function listing(type: string): unknown {
  return { events: [create(EventSchema, { type, cursor: type })] };
}

it("shows what was asked for last, whichever answer comes first", async () => {
  const feed = new Feed();
  const everything = feed.open({ types: "", minimumSeverity: Severity.UNSPECIFIED });
  const batches = feed.open({ types: "batch.*", minimumSeverity: Severity.UNSPECIFIED });
  answers.list[1]?.(listing("batch.completed"));
  await batches;
  answers.list[0]?.(listing("library.created"));
  await everything;
  expect(feed.events.value.map((event) => event.type)).toEqual(["batch.completed"]);
  feed.close();
});
