import { type QualityUpdate } from "@protos/vidence/capture/v1/session_event_pb";
import { SessionState, Target } from "@protos/vidence/capture/v1/session_pb";
import type { Quad } from "@protos/vidence/type/v1/geometry_pb";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { sessionWord } from "../../parts/session/words";
import type { Camera } from "./camera";
import type { View } from "./view";
import { say } from "./words";

interface Props {
  readonly camera: Camera;
  readonly view: View;
}
interface Size {
  readonly width: number;
  readonly height: number;
}
const HD: Size = { width: 1280, height: 720 };

/** What the camera sees, what was found in it, and what to do. */
export function Stage({ camera, view }: Props): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const [size, setSize] = useState(HD);
  const stream = camera.stream.value;
  useEffect(() => {
    if (video.current && stream) camera.show(video.current, stream);
  }, [camera, stream]);
  return (
    <div
      class={`stage ${camera.mirrored ? "mirrored" : ""}`}
      style={{ aspectRatio: `${size.width} / ${size.height}` }}
    >
      <video
        ref={video}
        muted
        playsInline
        aria-label={say("picture")}
        onResize={({ currentTarget }) => {
          if (currentTarget.videoWidth > 0) {
            setSize({ width: currentTarget.videoWidth, height: currentTarget.videoHeight });
          }
        }}
      />
      <Overlay view={view} size={size} />
      {view.countdown !== undefined && <Ring fraction={view.countdown} />}
      <Advice view={view} />
    </div>
  );
}

function Overlay({ view, size }: { readonly view: View; readonly size: Size }): JSX.Element {
  const seen = sizeOf(view.quality) ?? size;
  const subject = view.quality?.subject;
  return (
    <svg class="overlay" viewBox={`0 0 ${seen.width} ${seen.height}`} aria-hidden="true">
      {subject ? (
        <polygon class={toneOf(view)} points={pointsOf(subject)} vector-effect="non-scaling-stroke" />
      ) : (
        <Guide target={view.target} size={seen} />
      )}
    </svg>
  );
}

/** Where the face or document belongs. */
function Guide({ target, size }: { readonly target: Target; readonly size: Size }): JSX.Element | null {
  const { width, height } = size;
  const stroke = { "vector-effect": "non-scaling-stroke", class: "guide" } as const;
  if (target === Target.UNSPECIFIED) return null;
  if (target === Target.FACE) {
    return <ellipse {...stroke} cx={width / 2} cy={height / 2} rx={height * 0.26} ry={height * 0.36} />;
  }
  const across = Math.min(width * 0.8, height * 0.7 * 1.42);
  const up = across / 1.42;
  return (
    <rect
      {...stroke}
      x={(width - across) / 2}
      y={(height - up) / 2}
      width={across}
      height={up}
      rx={across * 0.03}
    />
  );
}

function Ring({ fraction }: { readonly fraction: number }): JSX.Element {
  return (
    <div
      class="ring"
      role="progressbar"
      aria-label={say("countdown")}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(fraction * 100)}
    >
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <circle class="track" cx="60" cy="60" r="52" />
        <circle class="done" cx="60" cy="60" r="52" pathLength="1" stroke-dashoffset={1 - fraction} />
      </svg>
    </div>
  );
}

function Advice({ view }: { readonly view: View }): JSX.Element {
  const { challenge, guidance } = view;
  return (
    <div class="advice">
      {challenge && (
        <small>{say("challenge.number", { number: challenge.number, total: challenge.total })}</small>
      )}
      <p role="status" lang={challenge ? undefined : guidance?.language}>
        {challenge ? sessionWord("challenge", challenge.challenge) : guidance?.message}
      </p>
    </div>
  );
}

function toneOf(view: View): string {
  if (view.state === SessionState.SEARCHING) return "subject";
  return "subject good";
}

function sizeOf(quality: QualityUpdate | undefined): Size | undefined {
  const size = quality?.imageSize;
  return size && { width: size.widthPx, height: size.heightPx };
}

/** Corners of a quadrilateral as SVG writes them. */
export function pointsOf(quad: Quad): string {
  return [quad.topLeft, quad.topRight, quad.bottomRight, quad.bottomLeft]
    .map((point) => `${point?.x ?? 0},${point?.y ?? 0}`)
    .join(" ");
}
