import "./sessions.css";

import { useSignal } from "@preact/signals";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session } from "@protos/vidence/capture/v1/session_pb";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { capture } from "../../api";
import { clockTime, count } from "../../language";
import { Nothing } from "../../parts/nothing";
import { StateBadge } from "../../parts/session/state_badge";
import { TimeLeft } from "../../parts/session/time_left";
import { sessionWord } from "../../parts/session/words";
import { StreamState } from "../../parts/stream_state";
import type { Page } from "..";
import { SessionGrid } from "./grid";
import { SessionDetail } from "./session_detail";
import { say } from "./words";

/** All capture sessions as they come, change and end. */
export const sessionsPage: Page = { path: "/sessions", title: () => say("title"), component: Sessions };

const LISTED = 200;
const SHOWN = ["all", "active", "over"] as const;
type Shown = (typeof SHOWN)[number];

function Sessions(): JSX.Element {
  const [grid] = useState(
    () =>
      new SessionGrid(
        (cursor, signal) =>
          capture.watchSessions(cursor === "" ? {} : { start: { case: "afterCursor", value: cursor } }, {
            signal,
          }),
        async (signal) => (await capture.listSessions({ pageSize: LISTED }, { signal })).sessions,
      ),
  );
  const shown = useSignal<Shown>("all");
  const opened = useSignal("");
  useEffect(() => {
    grid.start();
    return () => {
      grid.close();
    };
  }, [grid]);
  const sessions = grid.sessions.value;
  const active = sessions.filter((session) => session.endTime === undefined).length;
  const selected = sessions.find((session) => session.id === opened.value);
  return (
    <div class="sessions stack">
      <header class="row spread">
        <h1>{say("title")}</h1>
        <div class="row">
          <span class="quiet">{say("active", { count: count(active) })}</span>
          <StreamState state={grid.state.value} />
        </div>
      </header>
      <p class="quiet">{say("hint")}</p>
      <ShownChoice shown={shown.value} onChange={(wanted) => (shown.value = wanted)} />
      {sessions.length === 0 && (
        <Nothing
          panel
          known={grid.complete.value}
          failed={grid.state.value === "failed"}
          empty={say("empty")}
        />
      )}
      <Cards
        sessions={sessions.filter(wantedBy(shown.value))}
        others={sessions.length > 0}
        onOpen={(id) => (opened.value = id)}
      />
      {selected && <SessionDetail key={selected.id} session={selected} onClose={() => (opened.value = "")} />}
    </div>
  );
}

function wantedBy(shown: Shown): (session: Session) => boolean {
  return (session) => shown === "all" || (session.endTime === undefined) === (shown === "active");
}

function ShownChoice({
  shown,
  onChange,
}: {
  readonly shown: Shown;
  readonly onChange: (shown: Shown) => void;
}): JSX.Element {
  return (
    <label class="row">
      {say("show")}
      <select
        value={shown}
        onChange={(event) => {
          onChange(SHOWN.find((one) => one === event.currentTarget.value) ?? "all");
        }}
      >
        {SHOWN.map((one) => (
          <option key={one} value={one}>
            {say(`show.${one}`)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface CardsProps {
  readonly sessions: readonly Session[];
  /** Whether there are sessions that are not to be shown. */
  readonly others: boolean;
  readonly onOpen: (id: string) => void;
}

function Cards({ sessions, others, onOpen }: CardsProps): JSX.Element | null {
  if (sessions.length === 0) return others ? <p class="panel quiet">{say("empty.shown")}</p> : null;
  return (
    <ul class="cards">
      {sessions.map((session) => (
        <li key={session.id}>
          <button
            type="button"
            class="panel card"
            onClick={() => {
              onOpen(session.id);
            }}
          >
            <Card session={session} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Card({ session }: { readonly session: Session }): JSX.Element {
  const targets = session.plan?.targets ?? [];
  return (
    <>
      <span class="row spread">
        <StateBadge state={session.state} />
        <When session={session} />
      </span>
      <strong>{targets.map((target) => sessionWord("target", target)).join(" · ")}</strong>
      {session.plan?.reference && <span>{session.plan.reference}</span>}
      {session.endTime === undefined && session.guidanceCode !== "" && (
        <span class="guidance">{sessionWord("guidance", session.guidanceCode)}</span>
      )}
      <span class="quiet">
        {say("captured", { done: session.captured.length, all: targets.length })}
        {" · "}
        {say("frames", { count: count(session.frames?.received ?? 0n) })}
        {session.rejectedAttempts > 0 && ` · ${say("attempts", { count: session.rejectedAttempts })}`}
      </span>
      <span class="quiet mono id">{session.id}</span>
    </>
  );
}

function When({ session }: { readonly session: Session }): JSX.Element | null {
  if (session.endTime) {
    return <span class="quiet">{say("over", { time: clockTime(timestampDate(session.endTime)) })}</span>;
  }
  if (session.expireTime === undefined) return null;
  return <TimeLeft until={session.expireTime} text={(time) => say("left", { time })} />;
}
