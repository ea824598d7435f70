import "./stored_picture.css";

import type { ImageRef } from "@protos/vidence/type/v1/image_pb";
import { failureOf, isPassing } from "@vidence/client";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { capture } from "../../api";
import { saySession } from "./words";

interface Props {
  readonly image: ImageRef;
  /** A token of the picture's session; empty for back ends. */
  readonly token: string;
  readonly alt: string;
}
const ATTEMPTS = 3;

/** A picture that the suite keeps for a while. */
export function StoredPicture({ image, token, alt }: Props): JSX.Element {
  const [url, setUrl] = useState("");
  const [gone, setGone] = useState(false);
  useEffect(() => {
    const call = new AbortController();
    let made = "";
    fetchPicture(image, token, call.signal)
      .then((picture) => {
        if (call.signal.aborted) return;
        made = URL.createObjectURL(picture);
        setUrl(made);
      })
      .catch(() => {
        if (!call.signal.aborted) setGone(true);
      });
    return () => {
      call.abort();
      URL.revokeObjectURL(made);
    };
  }, [image.id, token]);
  if (gone) return <p class="stored-picture quiet">{saySession("picture.gone")}</p>;
  if (url === "") return <p class="stored-picture quiet">{saySession("picture.coming")}</p>;
  return <img class="stored-picture" src={url} alt={alt} width={image.widthPx} height={image.heightPx} />;
}

async function fetchPicture(image: ImageRef, token: string, signal: AbortSignal): Promise<Blob> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await collected(image, token, signal);
    } catch (error) {
      // A repeated call gives the same bytes.
      if (signal.aborted || attempt === ATTEMPTS || !isPassing(failureOf(error))) throw error;
    }
  }
}

async function collected(image: ImageRef, token: string, signal: AbortSignal): Promise<Blob> {
  const pieces: BlobPart[] = [];
  for await (const { payload } of capture.getImage({ imageId: image.id, sessionToken: token }, { signal })) {
    if (payload.case === "imageChunk") pieces.push(payload.value.data as Uint8Array<ArrayBuffer>);
    if (payload.case === "imageComplete") return new Blob(pieces, { type: image.mediaType });
  }
  throw new Error("the picture broke off");
}
