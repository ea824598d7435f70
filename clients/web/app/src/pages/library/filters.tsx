import type { JSX } from "preact";

import { type Condition, OPERATORS, type Operator } from "./conditions";
import { say } from "./words";

interface Props {
  readonly conditions: readonly Condition[];
  readonly onChange: (conditions: readonly Condition[]) => void;
}

/** Conditions on metadata; all of them must hold. */
export function Filters({ conditions, onChange }: Props): JSX.Element {
  return (
    <div class="filters">
      {conditions.map((condition, place) => (
        <OneFilter
          key={place}
          condition={condition}
          onChange={(changed) => {
            onChange(conditions.map((each, at) => (at === place ? changed : each)));
          }}
          onRemove={() => {
            onChange(conditions.filter((_, at) => at !== place));
          }}
        />
      ))}
      <button
        type="button"
        onClick={() => {
          onChange([...conditions, { key: "", operator: "is", value: "" }]);
        }}
      >
        {say("filter.add")}
      </button>
    </div>
  );
}

interface OneProps {
  readonly condition: Condition;
  readonly onChange: (condition: Condition) => void;
  readonly onRemove: () => void;
}

function OneFilter({ condition, onChange, onRemove }: OneProps): JSX.Element {
  return (
    <fieldset class="row filter">
      <input
        type="text"
        aria-label={say("filter.key")}
        placeholder={say("filter.key")}
        value={condition.key}
        onInput={(event) => {
          onChange({ ...condition, key: event.currentTarget.value });
        }}
      />
      <select
        aria-label={say("filter.operator")}
        value={condition.operator}
        onChange={(event) => {
          onChange({ ...condition, operator: event.currentTarget.value as Operator });
        }}
      >
        {OPERATORS.map((operator) => (
          <option key={operator} value={operator}>
            {say(`operator.${operator}`)}
          </option>
        ))}
      </select>
      {condition.operator !== "exists" && (
        <input
          type="text"
          aria-label={say("filter.value")}
          placeholder={say("filter.value")}
          value={condition.value}
          onInput={(event) => {
            onChange({ ...condition, value: event.currentTarget.value });
          }}
        />
      )}
      <button type="button" class="plain" aria-label={say("filter.remove")} onClick={onRemove}>
        ✕
      </button>
    </fieldset>
  );
}
