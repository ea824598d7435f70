import type { BatchService } from "@protos/vidence/batch/v1/batch_service_pb";
import type { Client } from "@connectrpc/connect";
import { failureOf } from "@vidence/client";

import { again } from "../../parts/again";
import { type Chosen, sha256 } from "./files";
import { refused, type Row } from "./rows";

type Service = Pick<Client<typeof BatchService>, "addBatchItem">;

/** Images on their way at the same time; each is held in memory only then. */
const LANES = 3;
/** An image above the server's limit need not travel to be refused. */
const MAX_BYTES = 20 * 1024 * 1024;
/** What is wrong with one image; anything else ends the upload. */
const OF_ONE_IMAGE = /^(IMAGE|PDF|BATCH_ITEM|BATCH_TOO)_|^DOCUMENT_TYPE_UNKNOWN$/;

export interface Upload {
  readonly batchId: string;
  readonly files: readonly Chosen[];
  /** SHA-256 of images that the server has, by index. */
  readonly kept: ReadonlyMap<number, string>;
  readonly signal: AbortSignal;
  /** Hears how each image goes. */
  readonly onRow: (row: Row) => void;
  readonly onWaiting: (waiting: boolean) => void;
}

/** Rows of files that have not been sent. */
export function rowsOf(files: readonly Chosen[]): Row[] {
  return files.map(({ file, path }, index) => ({
    index,
    fileName: path.slice(-255),
    sizeBytes: file.size,
    stage: "waiting",
  }));
}

/**
 * Sends every image that the server does not have. Repeating it sends nothing twice: a place with the same hash is
 * passed over, and the server itself answers a repeated one as such.
 */
export async function upload(service: Service, options: Upload): Promise<void> {
  const waiting = rowsOf(options.files);
  const lane = async (): Promise<void> => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      options.signal.throwIfAborted();
      await sendOne(service, row, options);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function sendOne(service: Service, row: Row, options: Upload): Promise<void> {
  const file = options.files[row.index]?.file;
  if (file === undefined) return;
  if (file.size > MAX_BYTES) {
    options.onRow({ ...row, stage: "refused", reason: "IMAGE_TOO_LARGE", message: "" });
    return;
  }
  options.onRow({ ...row, stage: "sending" });
  try {
    const content = new Uint8Array(await file.arrayBuffer());
    const hash = await sha256(content);
    if (hash === "" || options.kept.get(row.index) !== hash) {
      const { batchId, signal } = options;
      const image = { content, fileName: row.fileName };
      await again(() => service.addBatchItem({ batchId, index: row.index, image }, { signal }), options);
    }
    options.onRow({ ...row, stage: "queued" });
  } catch (error) {
    // A file that cannot be read any more is the business of its row, too.
    const ofThisImage = error instanceof DOMException || OF_ONE_IMAGE.test(failureOf(error).reason);
    if (options.signal.aborted || !ofThisImage) throw error;
    options.onRow(refused(row, error));
  }
}
