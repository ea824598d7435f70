import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Event } from "@protos/vidence/event/v1/event_pb";
import { Severity } from "@protos/vidence/event/v1/event_pb";
import type { JSX } from "preact";

import { clockTime } from "../../language";

interface Props {
  readonly event: Event;
  readonly onOpen: () => void;
}

/** One line of the feed. */
export function EventRow({ event, onOpen }: Props): JSX.Element {
  const level =
    event.severity >= Severity.ERROR ? "bad" : event.severity === Severity.WARNING ? "warning" : "";
  return (
    <button type="button" class={`event-row plain ${level}`} onClick={onOpen}>
      <time class="mono quiet">{event.emitTime ? clockTime(timestampDate(event.emitTime)) : ""}</time>
      <strong>{event.type}</strong>
      <span class="subject">{event.subject}</span>
      <span class="quiet source">{event.source}</span>
    </button>
  );
}
