import "./capture.css";

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { language } from "../../language";
import type { Page } from "..";
import { ChoiceForm } from "./choice_form";
import { CaptureDesk, type Problem } from "./desk";
import { FIRST_CHOICES } from "./plan";
import { RunView } from "./run_view";
import { Upload } from "./upload";
import { UploadForm, UploadView } from "./upload_view";
import { say } from "./words";

/** A person before the camera, or a document as a file. */
export const capturePage: Page = { path: "/capture", title: () => say("title"), component: CapturePage };

function CapturePage(): JSX.Element {
  const [desk] = useState(() => new CaptureDesk());
  const [upload] = useState(() => new Upload());
  const choices = useSignal(FIRST_CHOICES);
  useEffect(
    () => () => {
      desk.close();
      upload.close();
    },
    [desk, upload],
  );
  const run = desk.run.value;
  if (run) {
    return (
      <RunView
        key={run.id}
        run={run}
        camera={desk.camera}
        problem={desk.problem.value && <ProblemNote problem={desk.problem.value} />}
        onLeave={() => {
          desk.close();
        }}
      />
    );
  }
  if (upload.reading.value) return <UploadView upload={upload} reading={upload.reading.value} />;
  return (
    <div class="capture stack">
      <h1>{say("title")}</h1>
      {desk.problem.value && <ProblemNote problem={desk.problem.value} />}
      <div class="beginnings">
        <ChoiceForm
          choices={choices.value}
          starting={desk.starting.value}
          onChange={(chosen) => (choices.value = chosen)}
          onStart={() => void desk.start(choices.value, language.value)}
        />
        <UploadForm onFile={(file, type) => void upload.read(file, type)} />
      </div>
    </div>
  );
}

function ProblemNote({ problem }: { readonly problem: Problem }): JSX.Element {
  return (
    <p role="alert" class="note bad">
      {problem.kind === "camera"
        ? say(`camera.${problem.failure}`)
        : say("failed.start", { message: problem.message })}
    </p>
  );
}
