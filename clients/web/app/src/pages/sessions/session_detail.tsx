import { useSignal } from "@preact/signals";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { GetSessionEvidenceResponse } from "@protos/vidence/capture/v1/capture_service_pb";
import type { CaptureEvent } from "@protos/vidence/capture/v1/session_event_pb";
import { type Session, SessionFailure } from "@protos/vidence/capture/v1/session_pb";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { capture } from "../../api";
import { clockTime, fullTime } from "../../language";
import { Drawer } from "../../parts/drawer";
import { ReviewLink } from "../../parts/review_link";
import { StateBadge } from "../../parts/session/state_badge";
import { StoredPicture } from "../../parts/session/stored_picture";
import { LivenessLine, VerificationResult } from "../../parts/session/verdicts";
import { watchTokenOf } from "../../parts/session/watch_tokens";
import { sessionWord } from "../../parts/session/words";
import { StreamState } from "../../parts/stream_state";
import { decimal } from "../../parts/units";
import { SessionEvents } from "./session_events";
import { detailOf, jsonOf, titleOf } from "./story";
import { say } from "./words";

interface Props {
  readonly session: Session;
  readonly onClose: () => void;
}

/** One session: what was captured, what was found out, and what happens in it. */
export function SessionDetail({ session, onClose }: Props): JSX.Element {
  const name = (session.plan?.targets ?? []).map((target) => sessionWord("target", target)).join(" · ");
  return (
    <Drawer title={name} onClose={onClose}>
      <div class="stack session-detail">
        <div class="row spread">
          <StateBadge state={session.state} />
          {session.endTime === undefined && (
            <button
              type="button"
              // The change is told by the stream; a server that is away is told there too.
              onClick={() => void capture.cancelSession({ sessionId: session.id }).catch(() => undefined)}
            >
              {say("end")}
            </button>
          )}
        </div>
        <ReviewLink subject={`sessions/${session.id}`} />
        <Lines session={session} />
        {session.captured.map(({ image, crop, target, score }) => {
          const picture = crop ?? image;
          const title = sessionWord("target", target);
          return (
            <figure key={target}>
              {picture && <StoredPicture image={picture} token="" alt={title} />}
              <figcaption class="quiet">
                {title} · {say("score", { score })}
              </figcaption>
            </figure>
          );
        })}
        {session.verification && <VerificationResult verification={session.verification} />}
        <LivenessLine verdict={session.liveness} />
        <Evidence session={session} />
        <Happenings session={session} />
      </div>
    </Drawer>
  );
}

function Lines({ session }: { readonly session: Session }): JSX.Element {
  const time = (at: Timestamp | undefined): string => (at ? fullTime(timestampDate(at)) : "");
  const lines: readonly (readonly [string, string])[] = [
    [say("id"), session.id],
    [say("reference"), session.plan?.reference ?? ""],
    [say("begun"), time(session.createTime)],
    [say("expires"), session.endTime ? "" : time(session.expireTime)],
  ];
  return (
    <dl class="lines">
      {lines
        .filter(([, value]) => value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt class="quiet">{name}</dt>
            <dd class="mono">{value}</dd>
          </div>
        ))}
      {session.failure !== SessionFailure.UNSPECIFIED && (
        <p class="bad">{sessionWord("failure", session.failure)}</p>
      )}
    </dl>
  );
}

/** Scores: for reviewers, never for the device. */
function Evidence({ session }: { readonly session: Session }): JSX.Element | null {
  const [evidence, setEvidence] = useState<GetSessionEvidenceResponse>();
  useEffect(() => {
    const call = new AbortController();
    capture.getSessionEvidence({ sessionId: session.id }, { signal: call.signal }).then(
      setEvidence,
      // A server that does not give it: nothing is shown.
      () => undefined,
    );
    return () => {
      call.abort();
    };
  }, [session.id, session.state]);
  const lines = evidence ? evidenceLines(evidence) : [];
  if (lines.length === 0) return null;
  return (
    <section class="stack">
      <h3>{say("evidence")}</h3>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </section>
  );
}

function evidenceLines(evidence: GetSessionEvidenceResponse): readonly string[] {
  const of = (value: number, threshold: number): string =>
    say("evidence.of", { value: decimal(value), threshold: decimal(threshold) });
  const { portraitSimilarity: similarity, portraitThreshold: least } = evidence;
  return [
    ...(similarity === undefined || least === undefined
      ? []
      : [`${say("evidence.portrait")}: ${of(similarity, least)}`]),
    ...evidence.passive.map(
      (passive, index) =>
        `${say("evidence.passive", { number: index + 1 })}: ${of(passive.mean, passive.threshold)}`,
    ),
    ...Object.entries(evidence.replaySigns).map(
      ([name, times]) => `${say("evidence.sign", { name: sessionWord("warning", name) })} (${times})`,
    ),
  ];
}

function Happenings({ session }: { readonly session: Session }): JSX.Element {
  const [events] = useState(() => new SessionEvents());
  const token = useSignal(watchTokenOf(session.id));
  useEffect(() => {
    if (token.value !== "") events.watch(session.id, token.value);
    return () => {
      events.close();
    };
  }, [events, session.id, token.value]);
  const guidance = events.guidance.value;
  return (
    <section class="stack" aria-label={say("events")}>
      <header class="row spread">
        <h3>{say("events")}</h3>
        {token.value !== "" && <StreamState state={events.state.value} />}
      </header>
      {token.value === "" || events.refused.value ? (
        <TokenForm refused={events.refused.value} onToken={(wanted) => (token.value = wanted)} />
      ) : (
        <>
          {guidance && session.endTime === undefined && (
            <p class="guidance" lang={guidance.language}>
              {guidance.message}
            </p>
          )}
          <ol class="story">
            {events.events.value.map((event) => (
              <Happening key={event.cursor} event={event} />
            ))}
          </ol>
          {events.events.value.length === 0 && <p class="quiet">{say("events.none")}</p>}
        </>
      )}
    </section>
  );
}

function Happening({ event }: { readonly event: CaptureEvent }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <details
        onToggle={(toggled) => {
          setOpen(toggled.currentTarget.open);
        }}
      >
        <summary>
          <time class="mono quiet">{event.emitTime ? clockTime(timestampDate(event.emitTime)) : ""}</time>{" "}
          <strong>{titleOf(event)}</strong> {detailOf(event)}
        </summary>
        {open && <pre class="mono">{jsonOf(event)}</pre>}
      </details>
    </li>
  );
}

interface TokenProps {
  readonly refused: boolean;
  readonly onToken: (token: string) => void;
}

function TokenForm({ refused, onToken }: TokenProps): JSX.Element {
  const typed = useSignal("");
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(typed.value.trim());
      }}
    >
      <p class="quiet">{say("token.hint")}</p>
      {refused && (
        <p role="alert" class="bad">
          {say("token.wrong")}
        </p>
      )}
      <label class="row">
        {say("token")}
        <input
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
        <button type="submit">{say("watch")}</button>
      </label>
    </form>
  );
}
