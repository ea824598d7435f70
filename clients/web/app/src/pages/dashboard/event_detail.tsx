import { anyUnpack, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Event, Severity } from "@protos/vidence/event/v1/event_pb";
import type { JSX } from "preact";

import { fullTime } from "../../language";
import { Drawer } from "../../parts/drawer";
import { jsonText, PAYLOADS } from "../../parts/payloads";
import { ReviewLink } from "../../parts/review_link";
import { say } from "./words";

/** Everything that an event says. */
export function EventDetail({
  event,
  onClose,
}: {
  readonly event: Event;
  readonly onClose: () => void;
}): JSX.Element {
  const severity = event.severity === Severity.UNSPECIFIED ? Severity.INFO : event.severity;
  const lines: readonly (readonly [string, string])[] = [
    [say("time"), event.emitTime ? fullTime(timestampDate(event.emitTime)) : ""],
    [say("subject"), event.subject],
    [say("source"), event.source],
    [say("id"), event.id],
    [say("level"), say(`severity.${severity as 1 | 2 | 3 | 4 | 5}`)],
    [say("cursor"), event.cursor],
    ...Object.entries(event.attributes),
  ];
  return (
    <Drawer title={event.type} onClose={onClose}>
      <dl class="details">
        {lines.map(([name, value]) => (
          <div key={name}>
            <dt class="quiet">{name}</dt>
            <dd class="mono">{value}</dd>
          </div>
        ))}
      </dl>
      <p>
        <ReviewLink subject={`events/${event.cursor}`} />
      </p>
      <h3>{say("payload")}</h3>
      <pre class="panel mono">{payloadText(event)}</pre>
    </Drawer>
  );
}

function payloadText(event: Event): string {
  const { payload } = event;
  if (payload.case === "opaque") {
    const text = /^(text\/|application\/json)/.test(payload.value.contentType);
    return text
      ? new TextDecoder().decode(payload.value.content)
      : `${payload.value.contentType}, ${payload.value.content.length} B`;
  }
  if (payload.case !== "data") return "";
  const message = anyUnpack(payload.value, PAYLOADS);
  const schema = message && PAYLOADS.getMessage(message.$typeName);
  return message && schema ? jsonText(schema, message) : payload.value.typeUrl;
}
