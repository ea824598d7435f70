import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { BatchService } from "@protos/vidence/batch/v1/batch_service_pb";
import { CaptureService } from "@protos/vidence/capture/v1/capture_service_pb";
import { EventService } from "@protos/vidence/event/v1/event_service_pb";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { beforeEach, expect, it, vi } from "vitest";
import { createApp } from "vue";

import { showFeed } from "./plain/feed.js";
import { BatchProgress } from "./react/batch_progress";
import { SessionGuidance } from "./vue/session_guidance";

/** For a loaded machine. */
const PATIENCE = { timeout: 20_000 };
const HEARTBEAT = { seconds: 300n };

function opening() {
  const value = { connectionId: "con_1", cursor: "c0", heartbeatPeriod: HEARTBEAT, retryDelay: HEARTBEAT };
  return { control: { control: { case: "connected" as const, value } }, cursor: "c0" };
}

/** A suite that says one thing on each stream, then waits until its page is gone. */
function suite(): Transport {
  const silence = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
  return createRouterTransport(({ rpc }) => {
    rpc(EventService.method.subscribe, async function* (_, { signal }) {
      yield opening();
      const events = [{ type: "batch.completed", subject: "batches/bat_1", cursor: "c1" }];
      yield { events, cursor: "c1", previousCursor: "c0" };
      await silence(signal);
    });
    rpc(BatchService.method.watchBatch, async function* ({ batchId }, { signal }) {
      yield opening();
      const value = { current: 3, total: 7, fileName: `${batchId}.jpg` };
      const events = [{ payload: { case: "progress" as const, value }, cursor: "c1" }];
      yield { events, cursor: "c1", previousCursor: "c0" };
      await silence(signal);
    });
    rpc(CaptureService.method.watchSession, async function* ({ sessionToken }, { signal }) {
      yield opening();
      const value = { message: `Move closer (${sessionToken})`, language: "en" };
      const events = [{ payload: { case: "guidance" as const, value }, cursor: "c1" }];
      yield { events, cursor: "c1", previousCursor: "c0" };
      await silence(signal);
    });
  });
}

let place: HTMLElement;

beforeEach(() => {
  place = document.createElement("div");
  document.body.replaceChildren(place);
});

it("shows the bus in plain JavaScript", PATIENCE, async () => {
  const status = document.createElement("p");
  const watch = showFeed(place, status, suite());
  await vi.waitFor(() => {
    expect(place.textContent).toBe("batch.completed batches/bat_1");
  }, PATIENCE);
  expect(status.textContent).toBe("live");
  watch.close();
});

it("shows the progress of a batch in React", PATIENCE, async () => {
  const root = createRoot(place);
  root.render(createElement(BatchProgress, { batchId: "bat_1", transport: suite() }));
  await vi.waitFor(() => {
    expect(place.textContent).toBe("live3 of 7: bat_1.jpg");
  }, PATIENCE);
  root.unmount();
});

it("shows what a session says in Vue", PATIENCE, async () => {
  const props = { sessionId: "ses_1", sessionToken: "secret", transport: suite() };
  const app = createApp(SessionGuidance, props);
  app.mount(place);
  await vi.waitFor(() => {
    expect(place.textContent).toBe("liveMove closer (secret)");
  }, PATIENCE);
  app.unmount();
});
