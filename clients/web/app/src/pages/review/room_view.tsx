import { useSignal } from "@preact/signals";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Review } from "@protos/vidence/review/v1/review_pb";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { fullTime } from "../../language";
import { StreamState } from "../../parts/stream_state";
import { shared } from "../../words";
import { Notes } from "./notes";
import { Room } from "./room";
import { SubjectView } from "./subject_view";
import { VerdictBadge, VERDICTS } from "./verdict_badge";
import { say } from "./words";

const KEY = "vidence.reviewer";

/** One review, with everybody who looks at it. */
export function RoomView({ subject }: { readonly subject: string }): JSX.Element {
  const [room] = useState(() => new Room(subject));
  const name = useSignal(localStorage.getItem(KEY) ?? "");
  useEffect(() => {
    void room.open();
    return () => {
      room.close();
    };
  }, [room]);
  useEffect(() => {
    if (name.value !== "") room.enter(name.value);
  }, [room, name.value]);
  const review = room.review.value;
  return (
    <div class="review stack">
      <header class="row spread">
        <h1>{say("title")}</h1>
        <StreamState state={room.state.value} />
      </header>
      <p>
        <a href="/review">{say("all")}</a>
      </p>
      {room.state.value === "ended" && <p role="alert">{say("ended")}</p>}
      <Refused room={room} />
      {name.value === "" && (
        <NameForm
          onName={(chosen) => {
            localStorage.setItem(KEY, chosen);
            name.value = chosen;
          }}
        />
      )}
      <div class="room">
        <div class="stack">
          <SubjectView subject={subject} revision={review?.revision ?? 0n} />
          <Notes room={room} name={name.value} />
        </div>
        <div class="stack">
          <Presence room={room} name={name.value} />
          {!review && !room.refused.value && <p class="quiet">{shared("loading")}</p>}
          {review && <Judgement room={room} review={review} name={name.value} />}
        </div>
      </div>
    </div>
  );
}

function Refused({ room }: { readonly room: Room }): JSX.Element | null {
  const refused = room.refused.value;
  if (refused === undefined) return null;
  const { reason, message: why } = refused;
  const known = reason === "REVIEW_CHANGED" || reason === "REVIEW_CLAIMED";
  return (
    <p role="alert" class="panel refused">
      {known
        ? say(`conflict.${reason}`)
        : say(room.review.value ? "conflict.other" : "conflict.load", { why })}
    </p>
  );
}

function NameForm({ onName }: { readonly onName: (name: string) => void }): JSX.Element {
  const typed = useSignal("");
  const name = typed.value.trim();
  return (
    <form
      class="panel row"
      onSubmit={(event) => {
        event.preventDefault();
        if (name !== "") onName(name);
      }}
    >
      <label class="row">
        {say("name")}
        <input
          type="text"
          autocomplete="name"
          maxLength={80}
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary" disabled={name === ""}>
        {say("enter")}
      </button>
      <small class="quiet">{say("name.hint")}</small>
    </form>
  );
}

function Presence({ room, name }: { readonly room: Room; readonly name: string }): JSX.Element {
  const names = [...new Set(room.attendants.value.map(({ reviewer }) => reviewer))];
  return (
    <section class="panel stack" aria-label={say("there")}>
      <h2>{say("there")}</h2>
      <ul class="people" role="list">
        {names.map((one) => (
          <li key={one} class="badge accent">
            {one === name ? say("you", { name: one }) : one}
          </li>
        ))}
      </ul>
      {names.every((one) => one === name) && <p class="quiet">{say("there.nobody")}</p>}
    </section>
  );
}

interface JudgementProps {
  readonly room: Room;
  readonly review: Review;
  readonly name: string;
}

function Judgement({ room, review, name }: JudgementProps): JSX.Element {
  const owner = review.claim?.reviewer;
  const mine = owner !== undefined && owner === name;
  const free = name !== "" && (owner === undefined || mine);
  return (
    <section class="panel stack" aria-label={say("decision")}>
      <header class="row spread">
        <h2>{say("decision")}</h2>
        <span class="quiet">{say("revision", { number: String(review.revision) })}</span>
      </header>
      <Decided review={review} />
      <div class="row spread">
        <p aria-live="polite">
          {owner === undefined
            ? say("claim.none")
            : mine
              ? say("claim.mine")
              : say("claim.other", { name: owner })}
        </p>
        <button
          type="button"
          disabled={name === ""}
          onClick={() => void (mine ? room.release() : room.claim(owner !== undefined))}
        >
          {say(mine ? "release" : owner === undefined ? "claim" : "take")}
        </button>
      </div>
      <div class="row">
        {VERDICTS.map((verdict) => (
          <button
            key={verdict}
            type="button"
            class={verdict === VERDICTS[0] ? "primary" : ""}
            disabled={!free}
            onClick={() => void room.decide(verdict)}
          >
            {say(`decide.${verdict}`)}
          </button>
        ))}
      </div>
    </section>
  );
}

function Decided({ review }: { readonly review: Review }): JSX.Element {
  const { decision } = review;
  if (decision === undefined) return <p class="quiet">{say("decision.none")}</p>;
  const time = decision.decideTime ? fullTime(timestampDate(decision.decideTime)) : "";
  return (
    <p class="row">
      <VerdictBadge decision={decision} />
      <span class="quiet">{say("by", { name: decision.reviewer, time })}</span>
    </p>
  );
}
