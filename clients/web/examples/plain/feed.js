// Plain JavaScript: the bus in a list, with the client package and no framework.
import { createClient } from "@connectrpc/connect";
import { EventService } from "@protos/vidence/event/v1/event_service_pb";
import { connectTo, Watch } from "@vidence/client";

/**
 * Shows events of some types in an element as they happen, and how the stream stands.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} status
 * @param {import("@connectrpc/connect").Transport} [transport]
 * @returns {Watch<import("@protos/vidence/event/v1/event_pb").Event>} `close()` ends it.
 */
export function showFeed(list, status, transport = connectTo()) {
  const bus = createClient(EventService, transport);
  const watch = new Watch({
    // Called again with the last cursor whenever the connection breaks: nothing is lost or told twice.
    open: (cursor, signal) =>
      bus.subscribe(
        {
          filter: { types: ["document.*", "batch.*"] },
          ...(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }),
        },
        { signal },
      ),
    onEvents: (events) => {
      for (const event of events) {
        const line = document.createElement("li");
        line.textContent = `${event.type} ${event.subject}`;
        list.prepend(line);
      }
    },
    onGap: (gap) => {
      status.title = `${gap.missedCount ?? "some"} events are gone`;
    },
    onState: (state) => {
      status.textContent = state;
    },
  });
  void watch.start();
  return watch;
}
