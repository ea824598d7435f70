import { signal } from "@preact/signals";

/** Which way a phone's camera looks. */
export type Facing = "user" | "environment";
/** Why there is no picture. */
export type CameraFailure = "refused" | "missing" | "busy" | "insecure";

const JPEG_QUALITY = 0.88;
/** A face needs less than small print does. */
const WIDTH_PX: Readonly<Record<Facing, number>> = { user: 1280, environment: 1920 };

/** The camera of the device; pictures are taken when they are asked for, always the newest. */
export class Camera {
  readonly stream = signal<MediaStream | undefined>(undefined);
  /** Cameras to choose from; empty until one was allowed. */
  readonly devices = signal<readonly MediaDeviceInfo[]>([]);
  readonly #canvas = document.createElement("canvas");
  #video: HTMLVideoElement | undefined;
  #facing: Facing | undefined;
  #opened = 0;

  /** Whether the picture is to be shown as in a mirror. */
  get mirrored(): boolean {
    return this.#facing === "user";
  }

  /** Opens a camera, or turns to another; throws what the browser says, see `cameraFailure`. */
  async open(facing: Facing, deviceId = ""): Promise<void> {
    if (this.stream.value && this.#facing === facing && deviceId === "") return;
    const turn = ++this.#opened;
    // Phones have one camera open at a time.
    this.#release();
    this.#facing = facing;
    const which = deviceId === "" ? { facingMode: facing } : { deviceId: { exact: deviceId } };
    const stream = await mediaDevices().getUserMedia({
      video: { ...which, width: { ideal: WIDTH_PX[facing] }, height: { ideal: (WIDTH_PX[facing] * 9) / 16 } },
    });
    if (turn !== this.#opened) {
      stopTracks(stream);
      return;
    }
    this.stream.value = stream;
    const devices = await mediaDevices().enumerateDevices();
    this.devices.value = devices.filter((device) => device.kind === "videoinput");
  }

  /** Shows the picture in an element; frames are taken from it. */
  show(video: HTMLVideoElement, stream: MediaStream): void {
    this.#video = video;
    video.srcObject = stream;
    video.play().catch(() => undefined); // a browser that refuses shows its own button
  }

  /** The next new picture as a JPEG file; undefined when asked to stop. */
  async next(stop: AbortSignal): Promise<Uint8Array | undefined> {
    const video = await this.#fresh(stop);
    if (video === undefined) return undefined;
    this.#canvas.width = video.videoWidth;
    this.#canvas.height = video.videoHeight;
    this.#canvas.getContext("2d", { alpha: false })?.drawImage(video, 0, 0);
    const file = await new Promise<Blob | null>((resolve) => {
      this.#canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY);
    });
    return file ? new Uint8Array(await file.arrayBuffer()) : undefined;
  }

  close(): void {
    this.#opened += 1;
    this.#release();
    this.#facing = undefined;
  }

  #release(): void {
    if (this.stream.value) stopTracks(this.stream.value);
    this.stream.value = undefined;
  }

  /** Waits for a picture that was not there before. */
  async #fresh(stop: AbortSignal): Promise<HTMLVideoElement | undefined> {
    for (;;) {
      await new Promise<void>((resolve) => {
        stop.addEventListener("abort", () => {
          resolve();
        });
        if (this.#video && this.#video.readyState >= this.#video.HAVE_CURRENT_DATA) {
          this.#video.requestVideoFrameCallback(() => {
            resolve();
          });
        } else {
          setTimeout(resolve, 50);
        }
      });
      if (stop.aborted) return undefined;
      if (this.#video && this.#video.videoWidth > 0 && this.stream.value) return this.#video;
    }
  }
}

/** What the browser's error means for the person. */
export function cameraFailure(error: unknown): CameraFailure {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError") return "refused";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "SecurityError" || error instanceof TypeError) return "insecure";
  return "busy";
}

function mediaDevices(): MediaDevices {
  // Pages that are not secure have none.
  return navigator.mediaDevices;
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
