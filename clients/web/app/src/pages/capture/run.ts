import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { signal } from "@preact/signals";
import type { CaptureEvent } from "@protos/vidence/capture/v1/session_event_pb";
import type { SessionPlanSchema } from "@protos/vidence/capture/v1/session_pb";
import { OnExpired, StartPosition } from "@protos/vidence/stream/v1/stream_control_pb";
import { Watch, type WatchState } from "@vidence/client";

import { capture } from "../../api";
import { keepWatchToken } from "../../parts/session/watch_tokens";
import type { Camera } from "./camera";
import { pump } from "./pump";
import { fromSession, looksAtFrames, NOTHING, shown, type View } from "./view";

/** How long the stream may be away until the page asks for the state by single calls, ms. */
const PATIENCE_MS = 4000;

/** A session of this page: its frames go out, its events come in. */
export class CaptureRun {
  readonly view = signal<View>(NOTHING);
  readonly stream = signal<WatchState>("connecting");
  /** Whether the state is asked for by single calls, because no stream comes through. */
  readonly asking = signal(false);
  /** Whether events were lost: what is shown may lack something. */
  readonly incomplete = signal(false);
  readonly sent = signal(0);
  readonly #stop = new AbortController();
  readonly #watch: Watch<CaptureEvent>;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    readonly id: string,
    readonly token: string,
  ) {
    this.#watch = new Watch<CaptureEvent>({
      open: (cursor, signal) =>
        capture.watchSession(
          {
            sessionId: id,
            sessionToken: token,
            onExpired: OnExpired.GAP,
            start:
              cursor === ""
                ? { case: "position", value: StartPosition.EARLIEST }
                : { case: "afterCursor", value: cursor },
          },
          { signal },
        ),
      onEvents: (events) => {
        this.view.value = events.reduce(shown, this.view.value);
      },
      onGap: () => (this.incomplete.value = true),
      onState: (state) => {
        this.#heard(state);
      },
    });
  }

  /** Creates a session and begins to watch it; throws what the server answers. */
  static async begin(plan: MessageInitShape<typeof SessionPlanSchema>): Promise<CaptureRun> {
    const { session, sessionToken, watchToken } = await capture.createSession({ plan });
    if (session === undefined) throw new Error("the server named no session");
    keepWatchToken(session.id, watchToken);
    const run = new CaptureRun(session.id, sessionToken);
    run.view.value = fromSession(NOTHING, session);
    run.#heard("connecting");
    void run.#watch.start();
    return run;
  }

  /** Sends what the camera sees until the session is over or left. */
  async film(camera: Camera): Promise<void> {
    await pump(
      {
        next: (stop) => camera.next(stop),
        push: (picture, number, time) => this.#push(picture, number, time),
        wanted: () => !this.view.value.over && looksAtFrames(this.view.value.state),
      },
      this.#stop.signal,
    );
  }

  /** Says that the picture is good, or that it is to be taken again. */
  async confirm(retake: boolean): Promise<void> {
    const { session } = await capture.confirmCapture({
      sessionId: this.id,
      sessionToken: this.token,
      retake,
    });
    if (session && this.stream.value !== "live") this.view.value = fromSession(this.view.value, session);
  }

  /** Leaves the session; one that is not over ends. */
  async close(): Promise<void> {
    const over = this.view.value.over;
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#watch.close();
    if (!over) await capture.cancelSession({ sessionId: this.id, sessionToken: this.token });
  }

  async #push(picture: Uint8Array, number: number, time: Date): Promise<void> {
    await capture.pushFrame(
      {
        sessionId: this.id,
        sessionToken: this.token,
        frame: {
          frameNumber: BigInt(number),
          captureTime: timestampFromDate(time),
          picture: { case: "encoded", value: picture },
        },
      },
      { signal: this.#stop.signal },
    );
    this.sent.value = number;
  }

  #heard(state: WatchState): void {
    this.stream.value = state;
    clearTimeout(this.#timer);
    if (state === "live" || state === "ended" || state === "closed") this.asking.value = false;
    else this.#timer = setTimeout(() => void this.#ask(), PATIENCE_MS);
  }

  /** Takes the state by a single call, again and again until the stream is back. */
  async #ask(): Promise<void> {
    this.asking.value = true;
    try {
      const { session } = await capture.getSession(
        { sessionId: this.id, sessionToken: this.token },
        { signal: this.#stop.signal },
      );
      if (session && this.#cutOff()) this.view.value = fromSession(this.view.value, session);
    } catch {
      // The server is away: the next call tells.
    }
    if (this.#cutOff()) this.#timer = setTimeout(() => void this.#ask(), PATIENCE_MS / 2);
  }

  /** Whether there is still something to be asked for, and no stream that tells it. */
  #cutOff(): boolean {
    return this.asking.value && !this.#stop.signal.aborted && !this.view.value.over;
  }
}
