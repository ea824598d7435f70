import type { JSX } from "preact";

import { type Choices, hasDocument, hasFace, type Subject, SUBJECTS } from "./plan";
import { say } from "./words";

interface Props {
  readonly choices: Choices;
  readonly starting: boolean;
  readonly onChange: (choices: Choices) => void;
  readonly onStart: () => void;
}
type Option = Exclude<keyof Choices, "subject" | "subjectId">;

/** What is to be captured, and what is to be done with it. */
export function ChoiceForm({ choices, starting, onChange, onStart }: Props): JSX.Element {
  const options = optionsOf(choices.subject);
  return (
    <form
      class="panel stack choices"
      onSubmit={(event) => {
        event.preventDefault();
        onStart();
      }}
    >
      <fieldset class="stack">
        <legend>{say("choose")}</legend>
        <div class="subjects">
          {(Object.keys(SUBJECTS) as Subject[]).map((subject) => (
            <label key={subject} class="subject">
              <input
                type="radio"
                name="subject"
                checked={choices.subject === subject}
                onChange={() => {
                  onChange({ ...choices, subject });
                }}
              />
              <span>
                <strong>{say(`subject.${subject}`)}</strong>
                <small class="quiet">{say(`subject.${subject}.hint`)}</small>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset class="options">
        <legend>{say("options")}</legend>
        {options.map((option) => (
          <label key={option} class="row option">
            <input
              type="checkbox"
              checked={choices[option]}
              onChange={(event) => {
                onChange({ ...choices, [option]: event.currentTarget.checked });
              }}
            />
            {say(`option.${option}`)}
          </label>
        ))}
      </fieldset>
      <label class="stack whose">
        {say("whose")}
        <input
          type="text"
          autocomplete="off"
          spellcheck={false}
          maxLength={128}
          value={choices.subjectId}
          onInput={(event) => {
            onChange({ ...choices, subjectId: event.currentTarget.value });
          }}
        />
        <small class="quiet">{say("whose.hint")}</small>
      </label>
      <button type="submit" class="primary" disabled={starting}>
        {say(starting ? "starting" : "start")}
      </button>
    </form>
  );
}

function optionsOf(subject: Subject): readonly Option[] {
  const document: Option[] = hasDocument(subject) ? ["extraction"] : [];
  const both: Option[] = hasDocument(subject) && hasFace(subject) ? ["verification"] : [];
  const face: Option[] = hasFace(subject) ? ["passive", "challenges"] : [];
  return [...document, ...both, ...face, "confirm"];
}
