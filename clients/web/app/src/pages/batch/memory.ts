import { sha256 } from "./files";

/** What a page must know after a reload. Neither names of files nor values are among it. */
const UPLOAD = "vidence.batch.upload";
const cursorKey = (batchId: string, run: number): string => `vidence.batch.${batchId}.${run}`;

/** Where the watch of a run stood; empty when it was never watched in this tab. */
export function savedCursor(batchId: string, run: number): string {
  return sessionStorage.getItem(cursorKey(batchId, run)) ?? "";
}

export function saveCursor(batchId: string, run: number, cursor: string): void {
  sessionStorage.setItem(cursorKey(batchId, run), cursor);
}

/**
 * The name under which a choice of files is sent: the same again while its upload is unfinished, so that nothing is
 * sent twice after a reload; otherwise a new one.
 */
export async function uploadKey(fingerprint: string): Promise<string> {
  const hash = await sha256(new TextEncoder().encode(fingerprint));
  const [before, key] = (localStorage.getItem(UPLOAD) ?? "").split(" ");
  if (hash !== "" && hash === before && key !== undefined) return key;
  const fresh = `page-${[...crypto.getRandomValues(new Uint8Array(16))].map(hex).join("")}`;
  localStorage.setItem(UPLOAD, `${hash} ${fresh}`);
  return fresh;
}

/** The upload has ended: the same files are a new batch from now on. */
export function forgetUpload(): void {
  localStorage.removeItem(UPLOAD);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
