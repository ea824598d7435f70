import { useSignal } from "@preact/signals";
import type { DocumentType } from "@protos/vidence/extraction/v1/document_pb";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";

import { extraction } from "../../api";
import { documentTypeName } from "../../parts/document/words";
import { FieldList } from "./field_list";
import { fieldId, type Reading } from "./reading";
import { pointsOf } from "./stage";
import type { Upload } from "./upload";
import { say } from "./words";

const ACCEPTED = "image/jpeg,image/png,image/webp,image/tiff,image/bmp,application/pdf";

/** Takes a file by choice or by drop. */
export function UploadForm({
  onFile,
}: {
  readonly onFile: (file: File, documentType: string) => void;
}): JSX.Element {
  const type = useSignal("");
  const over = useSignal(false);
  const take = (files: FileList | null | undefined): void => {
    const file = files?.[0];
    if (file) onFile(file, type.value);
  };
  return (
    <section
      class={`panel stack upload ${over.value ? "over" : ""}`}
      aria-label={say("upload")}
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={() => (over.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        over.value = false;
        take(event.dataTransfer?.files);
      }}
    >
      <h2>{say("upload")}</h2>
      <p class="quiet">{say("upload.hint")}</p>
      <TypeChoice value={type.value} onChange={(key) => (type.value = key)} />
      <label class="file">
        {say("upload.choose")}
        {/* A browser labels its own button in its own language. */}
        <input
          class="visually-hidden"
          type="file"
          accept={ACCEPTED}
          onChange={(event) => {
            take(event.currentTarget.files);
          }}
        />
      </label>
    </section>
  );
}

interface TypeProps {
  readonly value: string;
  readonly onChange: (key: string) => void;
}

function TypeChoice({ value, onChange }: TypeProps): JSX.Element {
  const types = useSignal<readonly DocumentType[]>([]);
  useEffect(() => {
    const call = new AbortController();
    extraction.listDocumentTypes({}, { signal: call.signal }).then(
      (answer) => (types.value = answer.documentTypes),
      // Without the list, the type is detected.
      () => undefined,
    );
    return () => {
      call.abort();
    };
  }, [types]);
  return (
    <label class="row">
      {say("upload.type")}
      <select
        value={value}
        onChange={(event) => {
          onChange(event.currentTarget.value);
        }}
      >
        <option value="">{say("upload.detect")}</option>
        {types.value.map(({ key, title }) => (
          <option key={key} value={key}>
            {documentTypeName(key, title)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A file that is being read, beside what was found in it. */
export function UploadView({
  upload,
  reading,
}: {
  readonly upload: Upload;
  readonly reading: Reading;
}): JSX.Element {
  const picked = useSignal<string | undefined>(undefined);
  return (
    <div class="capture stack">
      <header class="row spread">
        <h1>{upload.fileName.value}</h1>
        <button
          type="button"
          class="primary"
          onClick={() => {
            upload.close();
          }}
        >
          {say("upload.other")}
        </button>
      </header>
      {upload.fellBack.value && (
        <p role="alert" class="note warning">
          {say("fellback")}
        </p>
      )}
      <div class="working">
        <Preview url={upload.preview.value} reading={reading} picked={picked.value} />
        <div class="findings">
          <FieldList reading={reading} onPick={(id) => (picked.value = id)} />
        </div>
      </div>
    </div>
  );
}

interface PreviewProps {
  readonly url: string;
  readonly reading: Reading;
  readonly picked: string | undefined;
}

function Preview({ url, reading, picked }: PreviewProps): JSX.Element {
  const broken = useSignal(false);
  const size = reading.imageSize;
  if (url === "" || broken.value) return <p class="panel quiet">{say("upload.nopreview")}</p>;
  return (
    <div class="preview">
      <img src={url} alt={say("upload.preview")} onError={() => (broken.value = true)} />
      {size && (
        <svg class="overlay" viewBox={`0 0 ${size.widthPx} ${size.heightPx}`} aria-hidden="true">
          {reading.fields.map(
            (field) =>
              field.box && (
                <polygon
                  key={fieldId(field)}
                  class={fieldId(field) === picked ? "box picked" : "box"}
                  points={pointsOf(field.box)}
                  vector-effect="non-scaling-stroke"
                />
              ),
          )}
        </svg>
      )}
    </div>
  );
}
