import { useSignal } from "@preact/signals";
import {
  type CapturedTarget,
  Confirmation,
  SessionFailure,
  SessionState,
} from "@protos/vidence/capture/v1/session_pb";
import { failureOf } from "@vidence/client";
import type { ComponentChildren, JSX } from "preact";

import { StateBadge } from "../../parts/session/state_badge";
import { StoredPicture } from "../../parts/session/stored_picture";
import { TimeLeft } from "../../parts/session/time_left";
import { LivenessLine, VerificationResult } from "../../parts/session/verdicts";
import { sessionWord } from "../../parts/session/words";
import { StreamState } from "../../parts/stream_state";
import type { Camera } from "./camera";
import { FieldList } from "./field_list";
import { Gauges } from "./gauges";
import type { CaptureRun } from "./run";
import { Stage } from "./stage";
import type { View } from "./view";
import { say } from "./words";

interface Props {
  readonly run: CaptureRun;
  readonly camera: Camera;
  readonly problem: ComponentChildren;
  readonly onLeave: () => void;
}

/** A session from its first frame to its result. */
export function RunView({ run, camera, problem, onLeave }: Props): JSX.Element {
  const view = run.view.value;
  return (
    <div class="capture stack">
      <header class="row spread">
        <h1>{say("title")}</h1>
        <div class="row">
          <StateBadge state={view.state} />
          <StreamState state={run.stream.value} />
        </div>
      </header>
      {problem}
      {run.asking.value && (
        <p role="alert" class="note warning">
          {say("asking")}
        </p>
      )}
      {run.incomplete.value && (
        <p role="alert" class="note warning">
          {say("incomplete")}
        </p>
      )}
      <div class="working">
        <div class="stack">
          {view.over ? <Ending view={view} /> : <Filming run={run} camera={camera} />}
          {view.over && <Pictures view={view} token={run.token} />}
          <Confirming run={run} />
          <div class="row spread">
            <Status run={run} />
            <button type="button" class={view.over ? "primary" : ""} onClick={onLeave}>
              {say(view.over ? "again" : "cancel")}
            </button>
          </div>
        </div>
        <Findings run={run} />
      </div>
    </div>
  );
}

function Filming({ run, camera }: { readonly run: CaptureRun; readonly camera: Camera }): JSX.Element {
  const view = run.view.value;
  const targets = view.session?.plan?.targets ?? [];
  const number = targets.indexOf(view.target) + 1;
  return (
    <>
      <div class="row spread">
        {number > 0 && (
          <strong>
            {say("step", { number, total: targets.length, target: sessionWord("target", view.target) })}
          </strong>
        )}
        <CameraChoice camera={camera} />
      </div>
      <Stage camera={camera} view={view} />
    </>
  );
}

function CameraChoice({ camera }: { readonly camera: Camera }): JSX.Element | null {
  if (camera.devices.value.length < 2) return null;
  const used = camera.stream.value?.getVideoTracks()[0]?.getSettings().deviceId;
  return (
    <select
      aria-label={say("camera")}
      value={used}
      onChange={(event) => {
        void camera.open(camera.mirrored ? "user" : "environment", event.currentTarget.value);
      }}
    >
      {camera.devices.value.map((device) => (
        <option key={device.deviceId} value={device.deviceId}>
          {device.label}
        </option>
      ))}
    </select>
  );
}

function Ending({ view }: { readonly view: View }): JSX.Element {
  const failure = view.session?.failure ?? SessionFailure.UNSPECIFIED;
  const good = view.state === SessionState.COMPLETED;
  return (
    <p role="status" class={`note ${good ? "good" : "bad"}`}>
      {view.guidance?.message ?? sessionWord("state", view.state)}
      {failure !== SessionFailure.UNSPECIFIED && ` ${sessionWord("failure", failure)}.`}
    </p>
  );
}

function Status({ run }: { readonly run: CaptureRun }): JSX.Element {
  const { session, over } = run.view.value;
  return (
    <span class="row quiet">
      <span>{say("frames", { sent: run.sent.value })}</span>
      {session?.expireTime && !over && (
        <TimeLeft until={session.expireTime} text={(time) => say("left", { time })} />
      )}
    </span>
  );
}

function Confirming({ run }: { readonly run: CaptureRun }): JSX.Element | null {
  const failed = useSignal("");
  const { state, session } = run.view.value;
  const byPerson = session?.plan?.confirmation === Confirmation.BY_PERSON;
  if (state !== SessionState.CAPTURED || !byPerson) return null;
  const answer = (retake: boolean): void => {
    run.confirm(retake).catch((error: unknown) => (failed.value = failureOf(error).message));
  };
  return (
    <div class="panel row spread">
      <strong>{say("good?")}</strong>
      <span class="row">
        <button
          type="button"
          onClick={() => {
            answer(true);
          }}
        >
          {say("retake")}
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => {
            answer(false);
          }}
        >
          {say("confirm")}
        </button>
      </span>
      {failed.value !== "" && (
        <p role="alert" class="note bad">
          {say("failed.confirm", { message: failed.value })}
        </p>
      )}
    </div>
  );
}

function Findings({ run }: { readonly run: CaptureRun }): JSX.Element {
  const view = run.view.value;
  return (
    <div class="stack findings">
      {!view.over && view.reading === undefined && <Gauges measures={view.quality?.measures ?? []} />}
      {!view.over && <Pictures view={view} token={run.token} />}
      {view.verification && <VerificationResult verification={view.verification} />}
      <LivenessLine verdict={view.liveness} />
      {view.reading && <FieldList reading={view.reading} />}
    </div>
  );
}

function Pictures({ view, token }: { readonly view: View; readonly token: string }): JSX.Element | null {
  if (view.captured.length === 0) return null;
  return (
    <section class="panel stack" aria-label={say("captured")}>
      <h2>{say("captured")}</h2>
      <div class="pictures">
        {view.captured.map((captured) => (
          <Captured key={captured.image?.id ?? captured.target} captured={captured} token={token} />
        ))}
      </div>
    </section>
  );
}

function Captured({
  captured,
  token,
}: {
  readonly captured: CapturedTarget;
  readonly token: string;
}): JSX.Element {
  const image = captured.crop ?? captured.image;
  const name = sessionWord("target", captured.target);
  return (
    <figure>
      {image && <StoredPicture image={image} token={token} alt={name} />}
      <figcaption class="quiet">
        {name} · {say("score", { score: captured.score })}
      </figcaption>
    </figure>
  );
}
