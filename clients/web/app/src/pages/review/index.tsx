import "./review.css";

import type { JSX } from "preact";
import { useLocation } from "preact-iso";

import type { Page } from "..";
import { Desk } from "./desk";
import { RoomView } from "./room_view";
import { say } from "./words";

const SUBJECT = /^(sessions|batches|events)\/[A-Za-z0-9._-]+$/;

/** Several people look at one session, batch or event together, and decide. */
export const reviewPage: Page = { path: "/review", title: () => say("title"), component: ReviewPage };

function ReviewPage(): JSX.Element {
  const { query } = useLocation();
  const subject = query.of ?? "";
  if (subject === "") return <Desk />;
  if (!SUBJECT.test(subject)) return <p role="alert">{say("wrong")}</p>;
  return <RoomView key={subject} subject={subject} />;
}
