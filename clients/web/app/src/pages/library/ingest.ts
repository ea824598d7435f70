import { Code, ConnectError } from "@connectrpc/connect";

import { again } from "../../parts/again";

/** Lines and bytes that go in one request: small enough to be sent again after a break, and to show how far it is. */
const LINES = 64;
const BYTES = 512 * 1024;
/** Refused documents that are listed. */
const LISTED = 100;

/** What became of the documents of a file so far. */
export interface Ingested {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  /** The first of those that were refused: where they stand in the file, and why. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
  /** How much of the file has its answer, 0–1. */
  readonly share: number;
}

export const NOTHING: Ingested = {
  created: 0,
  updated: 0,
  unchanged: 0,
  refused: 0,
  problems: [],
  share: 0,
};

interface Chunk {
  readonly lines: readonly string[];
  /** Line of the file that it begins with, from 1. */
  readonly first: number;
  /** Bytes of the file up to its end. */
  readonly end: number;
}

/** Cuts a file into groups of lines; only one of them is in memory at a time. */
export async function* chunksOf(file: Blob): AsyncGenerator<Chunk> {
  let lines: string[] = [];
  let [first, bytes, end, rest] = [1, 0, 0, ""];
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const reader = file.stream().getReader();
  for (let part = await reader.read(); ; part = await reader.read()) {
    const text = rest + decoder.decode(part.value ?? new Uint8Array(), { stream: !part.done });
    const found = text.split("\n");
    rest = part.done ? "" : (found.pop() ?? "");
    for (const line of found) {
      lines.push(line);
      const size = encoder.encode(line).length + 1;
      bytes += size;
      end += size;
      if (lines.length < LINES && bytes < BYTES) continue;
      yield { lines, first, end };
      first += lines.length;
      [lines, bytes] = [[], 0];
    }
    if (part.done) break;
  }
  if (lines.some((line) => line.trim() !== "")) yield { lines, first, end };
}

/**
 * Sends a file of newline-delimited JSON into a library, and tells after each group of lines how far it is.
 *
 * A group that got no answer is sent again: what was taken of it is recognised, nothing is there twice. Documents
 * without an id of their own are the exception, the server names them anew.
 */
export async function ingest(
  libraryId: string,
  file: File,
  signal: AbortSignal,
  onProgress: (ingested: Ingested) => void,
  onWaiting: (waiting: boolean) => void,
): Promise<Ingested> {
  let sum = NOTHING;
  for await (const chunk of chunksOf(file)) {
    const answer = await again(() => send(libraryId, chunk, signal), { signal, onWaiting });
    const share = file.size === 0 ? 1 : Math.min(1, chunk.end / file.size);
    sum = { ...added(sum, told(answer, chunk.first)), share };
    onProgress(sum);
  }
  return { ...sum, share: 1 };
}

async function send(libraryId: string, chunk: Chunk, signal: AbortSignal): Promise<string> {
  const response = await fetch(`/v1/libraries/${encodeURIComponent(libraryId)}/documents/stream`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: chunk.lines.join("\n") + "\n",
    signal,
  });
  const text = await response.text();
  if (!response.ok) throw new ConnectError(text.slice(0, 300), codeOf(response.status));
  if (!text.includes('"ingest_complete"')) throw new ConnectError("The answer was cut.", Code.Unavailable);
  return text;
}

function codeOf(status: number): Code {
  if (status === 429 || status >= 502) return Code.Unavailable;
  return status === 404 ? Code.NotFound : Code.InvalidArgument;
}

interface StatusLine {
  readonly result?: {
    readonly line?: string;
    readonly state?: string;
    readonly error?: { readonly message?: string };
  };
}

/** Reads the status lines of a request. */
export function told(answer: string, first: number): Ingested {
  let sum = NOTHING;
  for (const text of answer.split("\n")) {
    if (text.trim() === "") continue;
    const { result } = JSON.parse(text) as StatusLine;
    if (result === undefined) continue;
    const is = (state: string): number => Number(result.state === `INGEST_STATE_${state}`);
    const problem = result.error && {
      line: first - 1 + Number(result.line ?? 0),
      message: result.error.message ?? "",
    };
    sum = added(sum, {
      created: is("CREATED"),
      updated: is("UPDATED"),
      unchanged: is("DUPLICATE"),
      refused: Number(problem !== undefined),
      problems: problem ? [problem] : [],
      share: 0,
    });
  }
  return sum;
}

function added(a: Ingested, b: Ingested): Ingested {
  return {
    created: a.created + b.created,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    refused: a.refused + b.refused,
    problems: a.problems.length >= LISTED ? a.problems : [...a.problems, ...b.problems].slice(0, LISTED),
    share: a.share,
  };
}
