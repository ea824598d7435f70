import { say } from "./words";

const KINDS = ["sessions", "batches", "events"] as const;
type Kind = (typeof KINDS)[number];

/** Which kind of thing is reviewed. */
export function kindIn(subject: string): Kind {
  return KINDS.find((kind) => subject.startsWith(`${kind}/`)) ?? "events";
}

/** The kind, in words. */
export function kindOf(subject: string): string {
  return say(`kind.${kindIn(subject)}`);
}

/** Its id within its kind. */
export function nameOf(subject: string): string {
  return subject.slice(subject.indexOf("/") + 1);
}
