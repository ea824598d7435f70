import type { Client } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { LibraryService } from "@protos/vidence/library/v1/library_service_pb";

import { again } from "../../parts/again";

type Service = Pick<Client<typeof LibraryService>, "exportLibrary">;

interface Exporting {
  readonly service: Service;
  readonly libraryId: string;
  readonly signal: AbortSignal;
  /** Hears how many documents have come. */
  readonly onProgress: (documents: number) => void;
  readonly onWaiting: (waiting: boolean) => void;
}

/**
 * Fetches a whole library as it is now. A broken connection goes on at the last checkpoint, on the same snapshot.
 *
 * The parts are handed to the browser as they come, which keeps large ones on disk.
 */
export async function exported(exporting: Exporting): Promise<Blob> {
  const kept: Blob[] = [];
  let resumeToken = "";
  const attempt = async (): Promise<void> => {
    const { service, libraryId, signal, onProgress } = exporting;
    let [pending, rest] = ["", ""];
    const decoder = new TextDecoder();
    for await (const { data } of service.exportLibrary({ libraryId, resumeToken }, { signal })) {
      const lines = (rest + decoder.decode(data, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        pending += line + "\n";
        const mark = markOf(line);
        if (mark === undefined) continue;
        kept.push(new Blob([pending]));
        pending = "";
        onProgress(mark.documents);
        if (mark.resumeToken === undefined) return;
        resumeToken = mark.resumeToken;
      }
    }
    throw new ConnectError("The export was cut.", Code.Unavailable);
  };
  await again(attempt, exporting);
  return new Blob(kept, { type: "application/x-ndjson" });
}

interface Mark {
  readonly documents: number;
  /** To go on from here; undefined: that was all. */
  readonly resumeToken: string | undefined;
}

/** What a line says about the export itself; undefined for one that is a document. */
export function markOf(line: string): Mark | undefined {
  if (!/^\{\s*"(checkpoint|export_complete)"/.test(line)) return undefined;
  const { checkpoint, export_complete: complete } = JSON.parse(line) as {
    checkpoint?: { resume_token: string; document_count?: string };
    export_complete?: { document_count?: string };
  };
  return {
    documents: Number((checkpoint ?? complete)?.document_count ?? 0),
    resumeToken: checkpoint?.resume_token,
  };
}
