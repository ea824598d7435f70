import { failureOf, isPassing } from "@vidence/client";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { batches, capture, events } from "../../api";
import { count, language } from "../../language";
import { StoredPicture } from "../../parts/session/stored_picture";
import { sessionWord } from "../../parts/session/words";
import { shared } from "../../words";
import { kindIn, kindOf, nameOf } from "./subject";
import { say } from "./words";

/** What is known of a subject: a line or two, pictures where there are any, and where to see the rest. */
interface Summary {
  readonly lines: readonly string[];
  readonly pictures: readonly JSX.Element[];
  readonly href: string;
}

/** What the review is about. */
export function SubjectView({
  subject,
  revision,
}: {
  readonly subject: string;
  readonly revision: bigint;
}): JSX.Element {
  const [summary, setSummary] = useState<Summary | "gone" | "away">();
  useEffect(() => {
    const call = new AbortController();
    summaryOf(subject, call.signal).then(setSummary, (error: unknown) => {
      if (!call.signal.aborted) setSummary(isPassing(failureOf(error)) ? "away" : "gone");
    });
    return () => {
      call.abort();
    };
    // Whoever changes the review may have changed what it is about; its lines are words of a language.
  }, [subject, revision, language.value]);
  return (
    <section class="panel stack subject" aria-label={say("subject")}>
      <h2>
        {kindOf(subject)} <span class="mono name">{nameOf(subject)}</span>
      </h2>
      {summary === undefined && <p class="quiet">{shared("loading")}</p>}
      {summary === "away" && <p role="alert">{shared("unavailable")}</p>}
      {summary === "gone" && <p class="quiet">{say("subject.gone")}</p>}
      {typeof summary === "object" && (
        <>
          {summary.lines.map((line) => (
            <p key={line}>{line}</p>
          ))}
          {summary.pictures}
          {summary.href !== "" && <a href={summary.href}>{say("subject.open")}</a>}
        </>
      )}
    </section>
  );
}

function summaryOf(subject: string, signal: AbortSignal): Promise<Summary> {
  const name = nameOf(subject);
  switch (kindIn(subject)) {
    case "sessions":
      return sessionSummary(name, signal);
    case "batches":
      return batchSummary(name, signal);
    case "events":
      return eventSummary(name, signal);
  }
}

async function sessionSummary(sessionId: string, signal: AbortSignal): Promise<Summary> {
  const { session } = await capture.getSession({ sessionId }, { signal });
  const targets = (session?.plan?.targets ?? []).map((target) => sessionWord("target", target));
  const checks = session?.verification?.checks ?? [];
  return {
    lines: [
      `${targets.join(" · ")}: ${sessionWord("state", session?.state ?? 0)}`,
      ...checks.map(
        (check) => `${sessionWord("check", check.name)}: ${sessionWord("verdict", check.verdict)}`,
      ),
    ],
    pictures: (session?.captured ?? []).flatMap(({ image, crop, target }) => {
      const picture = crop ?? image;
      return picture
        ? [<StoredPicture key={target} image={picture} token="" alt={sessionWord("target", target)} />]
        : [];
    }),
    href: "/sessions",
  };
}

async function batchSummary(batchId: string, signal: AbortSignal): Promise<Summary> {
  const { batch } = await batches.getBatch({ batchId }, { signal });
  const { succeeded = 0, failed = 0, total = 0 } = batch?.counts ?? {};
  const numbers = { done: count(succeeded), all: count(total), failed: count(failed) };
  return { lines: [say("read", numbers)], pictures: [], href: `/batch?id=${batchId}` };
}

async function eventSummary(cursor: string, signal: AbortSignal): Promise<Summary> {
  const { event } = await events.getEvent({ name: { case: "cursor", value: cursor } }, { signal });
  return { lines: [event?.type ?? "", event?.subject ?? "", event?.source ?? ""], pictures: [], href: "" };
}
