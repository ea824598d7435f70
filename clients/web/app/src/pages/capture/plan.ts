import type { MessageInitShape } from "@bufbuild/protobuf";
import { Confirmation, type SessionPlanSchema, Target } from "@protos/vidence/capture/v1/session_pb";

/** What can be captured, by the name of its choice. */
export const SUBJECTS = {
  face: [Target.FACE],
  document: [Target.DOCUMENT_FRONT],
  sides: [Target.DOCUMENT_FRONT, Target.DOCUMENT_BACK],
  person: [Target.DOCUMENT_FRONT, Target.FACE],
} as const satisfies Record<string, readonly Target[]>;
export type Subject = keyof typeof SUBJECTS;

/** What a person chose. */
export interface Choices {
  readonly subject: Subject;
  /** Look for signs of a photo or screen. */
  readonly passive: boolean;
  /** Ask for movements. */
  readonly challenges: boolean;
  /** Read the document. */
  readonly extraction: boolean;
  /** Compare portrait and face, check the document. */
  readonly verification: boolean;
  /** Let the person say whether each picture is good. */
  readonly confirm: boolean;
  /** Whose data it is: a pseudonym by which it can be erased; empty where nobody says. */
  readonly subjectId: string;
}

export const FIRST_CHOICES: Choices = {
  subject: "document",
  passive: false,
  challenges: false,
  extraction: true,
  verification: true,
  confirm: false,
  subjectId: "",
};
const CHALLENGES = 2;

/** Whether a face is captured: only then liveness can be asked for. */
export function hasFace(subject: Subject): boolean {
  return (SUBJECTS[subject] as readonly Target[]).includes(Target.FACE);
}

/** Whether a document is captured: only then it can be read. */
export function hasDocument(subject: Subject): boolean {
  return (SUBJECTS[subject] as readonly Target[]).includes(Target.DOCUMENT_FRONT);
}

/** The session that fits the choices; what does not apply to the subject is left out. */
export function planOf(choices: Choices, language: string): MessageInitShape<typeof SessionPlanSchema> {
  const face = hasFace(choices.subject);
  const document = hasDocument(choices.subject);
  return {
    targets: [...SUBJECTS[choices.subject]],
    language,
    subjectId: choices.subjectId.trim(),
    confirmation: choices.confirm ? Confirmation.BY_PERSON : Confirmation.AUTOMATIC,
    verification: face && document && choices.verification,
    ...(face && (choices.passive || choices.challenges)
      ? { liveness: { passive: choices.passive, challengeCount: choices.challenges ? CHALLENGES : 0 } }
      : {}),
    ...(document && choices.extraction ? { extraction: {} } : {}),
  };
}
