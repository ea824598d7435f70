import { signal } from "@preact/signals";
import type { Document } from "@protos/vidence/extraction/v1/document_pb";
import { ask, failureOf } from "@vidence/client";

import { extraction } from "../../api";
import { completed, type Reading, told, UNREAD } from "./reading";

/** The reading of a file instead of a camera's picture. */
export class Upload {
  readonly reading = signal<Reading | undefined>(undefined);
  /** Address of the picture to show; empty where the browser cannot show it. */
  readonly preview = signal("");
  readonly fileName = signal("");
  /** Whether the answer came by one call, because no stream comes through. */
  readonly fellBack = signal(false);
  #call: AbortController | undefined;

  /** Reads a file; a file that is still being read is left. */
  async read(file: File, documentType: string): Promise<void> {
    this.close();
    const call = new AbortController();
    this.#call = call;
    this.fileName.value = file.name;
    this.fellBack.value = false;
    this.reading.value = UNREAD;
    this.preview.value = file.type.startsWith("image/") ? URL.createObjectURL(file) : "";
    try {
      const request = { content: new Uint8Array(await file.arrayBuffer()), documentType };
      const document = await this.#ask(request, call.signal);
      if (call.signal.aborted) return;
      this.reading.value = completed(this.reading.value, document);
    } catch (error) {
      if (call.signal.aborted) return;
      const { reason, message } = failureOf(error);
      this.reading.value = { ...this.reading.value, state: "failed", failure: reason || message };
    }
  }

  /** Leaves the file; the server stops its work. */
  close(): void {
    this.#call?.abort();
    URL.revokeObjectURL(this.preview.value);
    this.preview.value = "";
    this.reading.value = undefined;
  }

  #ask(request: { content: Uint8Array; documentType: string }, signal: AbortSignal): Promise<Document> {
    return ask({
      signal,
      stream: (stop) => extraction.extractDocument(request, { signal: stop }),
      onMessage: ({ payload }) => {
        if (signal.aborted || payload.case === undefined) return;
        if (payload.case === "connected" || payload.case === "heartbeat") return;
        this.reading.value = told(this.reading.value ?? UNREAD, payload);
      },
      answerOf: ({ payload }) => (payload.case === "extractionComplete" ? payload.value.document : undefined),
      unary: async (stop) => {
        const answer = await extraction.readDocument(request, { signal: stop });
        this.reading.value = { ...(this.reading.value ?? UNREAD), imageSize: answer.imageSize };
        if (answer.document === undefined) throw new Error("the server gave no document");
        return answer.document;
      },
      onFallback: () => (this.fellBack.value = true),
    });
  }
}
