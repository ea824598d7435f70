import { useSignal } from "@preact/signals";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Review } from "@protos/vidence/review/v1/review_pb";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { count, fullTime } from "../../language";
import { Nothing } from "../../parts/nothing";
import { StreamState } from "../../parts/stream_state";
import { ReviewList } from "./review_list";
import { kindOf, nameOf } from "./subject";
import { VerdictBadge } from "./verdict_badge";
import { say } from "./words";

/** All reviews, the last changed first. */
export function Desk(): JSX.Element {
  const undecided = useSignal(false);
  return (
    <div class="review stack">
      <List key={String(undecided.value)} undecided={undecided.value}>
        <label class="row">
          {say("show")}
          <select
            value={String(undecided.value)}
            onChange={(event) => (undecided.value = event.currentTarget.value === "true")}
          >
            <option value="false">{say("show.all")}</option>
            <option value="true">{say("show.undecided")}</option>
          </select>
        </label>
      </List>
    </div>
  );
}

interface ListProps {
  readonly undecided: boolean;
  /** What chooses what is shown. */
  readonly children: ComponentChildren;
}

function List({ undecided, children }: ListProps): JSX.Element {
  const [list] = useState(() => new ReviewList(undecided));
  useEffect(() => {
    list.open();
    return () => {
      list.close();
    };
  }, [list]);
  const reviews = list.reviews.value ?? [];
  const known = list.reviews.value !== undefined;
  return (
    <>
      <header class="row spread">
        <h1>{say("title")}</h1>
        <StreamState state={list.state.value} />
      </header>
      <p class="quiet">{say("hint")}</p>
      {children}
      {list.failed.value !== "" && <p role="alert">{say("failed")}</p>}
      {reviews.length === 0 && list.failed.value === "" && (
        <Nothing panel known={known} failed={false} empty={say(undecided ? "empty.undecided" : "empty")} />
      )}
      {reviews.length > 0 && (
        <ul class="panel review-list">
          {reviews.map((review) => (
            <li key={review.subject}>
              <Line review={review} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Line({ review }: { readonly review: Review }): JSX.Element {
  return (
    <a href={`/review?of=${encodeURIComponent(review.subject)}`}>
      <span class="row spread">
        <strong>
          {kindOf(review.subject)} <span class="mono name">{nameOf(review.subject)}</span>
        </strong>
        <VerdictBadge decision={review.decision} />
      </span>
      <span class="quiet">
        {review.updateTime && say("changed", { time: fullTime(timestampDate(review.updateTime)) })}
        {" · "}
        {say("notes.count", { count: count(review.noteCount) })}
        {review.claim && ` · ${say("claim.other", { name: review.claim.reviewer })}`}
      </span>
    </a>
  );
}
