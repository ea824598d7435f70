import { Confirmation, Target } from "@protos/vidence/capture/v1/session_pb";
import { describe, expect, it } from "vitest";

import { type Choices, FIRST_CHOICES, planOf } from "./plan";

const EVERYTHING: Choices = {
  ...FIRST_CHOICES,
  passive: true,
  challenges: true,
  extraction: true,
  verification: true,
};

describe("the plan of a session", () => {
  it("asks for nothing that does not apply to what is captured", () => {
    const face = planOf({ ...EVERYTHING, subject: "face" }, "en");
    expect(face.extraction).toBeUndefined();
    expect(face.verification).toBe(false);
    expect(face.liveness).toEqual({ passive: true, challengeCount: 2 });
    const document = planOf({ ...EVERYTHING, subject: "document" }, "en");
    expect(document.liveness).toBeUndefined();
    expect(document.verification).toBe(false);
    expect(document.extraction).toEqual({});
  });

  it("compares a document with a face only where both are captured", () => {
    const person = planOf({ ...EVERYTHING, subject: "person", confirm: true }, "fil");
    expect(person.targets).toEqual([Target.DOCUMENT_FRONT, Target.FACE]);
    expect(person.verification).toBe(true);
    expect(person.confirmation).toBe(Confirmation.BY_PERSON);
    expect(person.language).toBe("fil");
  });

  it("names whose data it is, for whoever has to erase it", () => {
    expect(planOf(EVERYTHING, "en").subjectId).toBe("");
    expect(planOf({ ...EVERYTHING, subjectId: " person-4711 " }, "en").subjectId).toBe("person-4711");
  });
});
