import "./dashboard.css";

import { useSignal } from "@preact/signals";
import { type Event, Severity } from "@protos/vidence/event/v1/event_pb";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { count } from "../../language";
import { Nothing } from "../../parts/nothing";
import { StreamState } from "../../parts/stream_state";
import { VirtualList } from "../../parts/virtual_list";
import type { Page } from "..";
import { EventDetail } from "./event_detail";
import { EventRow } from "./event_row";
import { Feed, type Selection } from "./feed";
import { say } from "./words";

const ROW_PX = 40;
const SEVERITIES = [Severity.DEBUG, Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL];
const EVERYTHING: Selection = { types: "", minimumSeverity: Severity.UNSPECIFIED };

/** Everything that happens in the suite, as it happens. */
export const dashboard: Page = { path: "/", title: () => say("title"), component: Dashboard };

function Dashboard(): JSX.Element {
  const [feed] = useState(() => new Feed());
  const selection = useSignal(EVERYTHING);
  const shown = useSignal<Event | undefined>(undefined);
  const paused = feed.state.value === "closed";
  useEffect(() => {
    void feed.open(selection.value).catch(() => (feed.state.value = "failed"));
    return () => {
      feed.close();
    };
  }, [feed, selection.value]);
  return (
    <div class="dashboard stack">
      <header class="row spread">
        <h1>{say("feed")}</h1>
        <StreamState state={feed.state.value} />
      </header>
      <Toolbar
        selection={selection.value}
        paused={paused}
        onSelect={(wanted) => (selection.value = wanted)}
        onPause={() => {
          if (paused) feed.resume(selection.value);
          else feed.close();
        }}
      />
      {feed.missed.value > 0n && <p role="alert">{say("missed", { count: count(feed.missed.value) })}</p>}
      <section class="panel feed" aria-label={say("feed")}>
        {feed.events.value.length === 0 ? (
          <Nothing known={feed.listed.value} failed={feed.state.value === "failed"} empty={say("empty")} />
        ) : (
          <VirtualList
            items={feed.events.value}
            keyOf={(event) => event.cursor}
            rowHeight={ROW_PX}
            label={say("count", { count: count(feed.events.value.length) })}
            row={(event) => <EventRow event={event} onOpen={() => (shown.value = event)} />}
          />
        )}
      </section>
      {shown.value && <EventDetail event={shown.value} onClose={() => (shown.value = undefined)} />}
    </div>
  );
}

interface ToolbarProps {
  readonly selection: Selection;
  readonly paused: boolean;
  readonly onSelect: (selection: Selection) => void;
  readonly onPause: () => void;
}

function Toolbar({ selection, paused, onSelect, onPause }: ToolbarProps): JSX.Element {
  // Held here, since events that come in draw the page again while somebody types.
  const typed = useSignal(selection.types);
  return (
    <div class="row">
      <label class="row">
        {say("types")}
        <input
          type="search"
          placeholder={say("types.hint")}
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
          onChange={() => {
            onSelect({ ...selection, types: typed.value });
          }}
        />
      </label>
      <label class="row">
        {say("severity")}
        <select
          value={selection.minimumSeverity || Severity.DEBUG}
          onChange={(event) => {
            onSelect({ ...selection, minimumSeverity: severityOf(event.currentTarget.value) });
          }}
        >
          {SEVERITIES.map((severity) => (
            <option key={severity} value={severity}>
              {say(`severity.${severity as 1 | 2 | 3 | 4 | 5}`)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" aria-pressed={paused} onClick={onPause}>
        {say(paused ? "resume" : "pause")}
      </button>
    </div>
  );
}

function severityOf(value: string): Severity {
  return SEVERITIES.find((severity) => String(severity) === value) ?? Severity.UNSPECIFIED;
}
