import { effect, signal } from "@preact/signals";
import { Target } from "@protos/vidence/capture/v1/session_pb";
import { failureOf } from "@vidence/client";

import { Camera, type CameraFailure, cameraFailure, type Facing } from "./camera";
import { type Choices, planOf, SUBJECTS } from "./plan";
import { CaptureRun } from "./run";

/** Why a capture could not begin. */
export type Problem =
  | { readonly kind: "camera"; readonly failure: CameraFailure }
  | { readonly kind: "session"; readonly message: string };

/** The camera and the session of the page, from the choices to the result. */
export class CaptureDesk {
  readonly camera = new Camera();
  readonly run = signal<CaptureRun | undefined>(undefined);
  readonly starting = signal(false);
  readonly problem = signal<Problem | undefined>(undefined);
  #turn = 0;
  #unfollow: (() => void) | undefined;

  /** Opens the camera, then begins a session: nobody waits for a camera that is not allowed. */
  async start(choices: Choices, language: string): Promise<void> {
    const turn = ++this.#turn;
    this.starting.value = true;
    this.problem.value = undefined;
    try {
      await this.camera.open(facingOf(SUBJECTS[choices.subject][0]));
    } catch (error) {
      this.#fail(turn, { kind: "camera", failure: cameraFailure(error) });
      return;
    }
    try {
      const run = await CaptureRun.begin(planOf(choices, language));
      if (turn === this.#turn) this.#follow(run);
      else await run.close();
    } catch (error) {
      this.#fail(turn, { kind: "session", message: failureOf(error).message });
    }
  }

  /** Leaves what there is, and frees the camera. */
  close(): void {
    this.#turn += 1;
    this.#unfollow?.();
    this.camera.close();
    // A server that is away ends the session when its time is over.
    this.run.value?.close().catch(() => undefined);
    this.run.value = undefined;
    this.starting.value = false;
  }

  #follow(run: CaptureRun): void {
    this.starting.value = false;
    this.run.value = run;
    void run.film(this.camera);
    this.#unfollow = effect(() => {
      const { over, target } = run.view.value;
      if (over) this.camera.close();
      else if (target !== Target.UNSPECIFIED) this.#turnTo(facingOf(target));
    });
  }

  #turnTo(facing: Facing): void {
    this.camera.open(facing).catch((error: unknown) => {
      this.problem.value = { kind: "camera", failure: cameraFailure(error) };
    });
  }

  #fail(turn: number, problem: Problem): void {
    if (turn !== this.#turn) return;
    this.close();
    this.problem.value = problem;
  }
}

function facingOf(target: Target): Facing {
  return target === Target.FACE ? "user" : "environment";
}
