import { useSignal } from "@preact/signals";
import { SearchMode } from "@protos/vidence/library/v1/search_pb";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { libraries } from "../../api";
import { count } from "../../language";
import { StreamState } from "../../parts/stream_state";
import { type Condition, filterOf } from "./conditions";
import { Filters } from "./filters";
import { HitDrawer } from "./hit_drawer";
import { HitRow } from "./hit_row";
import { LiveSearch, type Wanted } from "./live_search";
import { Texts } from "./texts";
import { say, why } from "./words";

const MODES = [SearchMode.UNSPECIFIED, SearchMode.SEMANTIC, SearchMode.LEXICAL, SearchMode.HYBRID] as const;
const HITS = 20;
/** What is typed faster than this is one search. */
const TYPING_MS = 120;

interface Typed {
  readonly query: string;
  readonly mode: SearchMode;
  readonly conditions: readonly Condition[];
}

const NOTHING: Typed = { query: "", mode: SearchMode.UNSPECIFIED, conditions: [] };

interface Props {
  readonly libraryId: string;
  readonly documents: number | undefined;
}

/** A search whose results change as somebody types, and as documents arrive. */
export function SearchPanel({ libraryId, documents }: Props): JSX.Element {
  const [typed, setTyped] = useState(NOTHING);
  const live = useLive(libraryId, typed);
  return (
    <section class="stack" aria-label={say("search")}>
      <div class="row spread">
        <Toolbar typed={typed} onChange={setTyped} />
        <StreamState state={live.state.value} />
      </div>
      <Filters
        conditions={typed.conditions}
        onChange={(conditions) => {
          setTyped({ ...typed, conditions });
        }}
      />
      <Results libraryId={libraryId} live={live} documents={documents} />
    </section>
  );
}

function useLive(libraryId: string, typed: Typed): LiveSearch {
  const live = useMemo(() => new LiveSearch(libraries, libraryId, wantedOf(NOTHING)), [libraryId]);
  useEffect(() => {
    void live.open();
    return () => {
      live.close();
    };
  }, [live]);
  useEffect(() => {
    if (typed === NOTHING) return;
    const timer = setTimeout(() => void live.search(wantedOf(typed)), TYPING_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [live, typed]);
  return live;
}

function wantedOf({ query, mode, conditions }: Typed): Wanted {
  const filter = filterOf(conditions);
  const options = {
    mode,
    includeMetadata: true,
    includeText: true,
    explain: true,
    ...(filter && { filter }),
  };
  return { query: query.trim(), k: HITS, options };
}

interface ToolbarProps {
  readonly typed: Typed;
  readonly onChange: (typed: Typed) => void;
}

function Toolbar({ typed, onChange }: ToolbarProps): JSX.Element {
  return (
    <div class="row search-bar">
      <input
        type="search"
        aria-label={say("search")}
        placeholder={say("search.hint")}
        value={typed.query}
        onInput={(event) => {
          onChange({ ...typed, query: event.currentTarget.value });
        }}
      />
      <label class="row">
        {say("mode")}
        <select
          value={typed.mode}
          onChange={(event) => {
            onChange({ ...typed, mode: MODES[event.currentTarget.selectedIndex] ?? SearchMode.UNSPECIFIED });
          }}
        >
          {MODES.map((mode) => (
            <option key={mode} value={mode}>
              {say(`mode.${mode}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

interface ResultsProps {
  readonly libraryId: string;
  readonly live: LiveSearch;
  readonly documents: number | undefined;
}

function Results({ libraryId, live, documents }: ResultsProps): JSX.Element {
  const texts = useMemo(() => new Texts(libraries, libraryId), [libraryId]);
  const open = useSignal<string | undefined>(undefined);
  const hits = live.hits.value;
  useEffect(() => {
    texts.want(hits);
  }, [texts, hits]);
  const failure = live.failure.value;
  const shown = hits.find((hit) => hit.documentId === open.value);
  const told = hits.length > 0 ? say("results.count", { count: count(hits.length) }) : say("results.none");
  return (
    <>
      {live.single.value && <p role="alert">{say("single")}</p>}
      {failure && <p role="alert">{why(failure.reason, say("failure", { message: failure.message }))}</p>}
      <p class="quiet told" role="status">
        {!live.answered.value ? say("searching") : documents === 0 ? say("results.empty") : told}
      </p>
      {hits.length > 0 && (
        <ol class="panel hits" aria-label={say("results")}>
          {hits.map((hit) => (
            <HitRow
              key={hit.documentId}
              hit={hit}
              text={texts.of(hit)}
              fresh={live.entered.value.has(hit.documentId)}
              onOpen={() => (open.value = hit.documentId)}
            />
          ))}
        </ol>
      )}
      {shown && <HitDrawer hit={shown} text={texts.of(shown)} onClose={() => (open.value = undefined)} />}
    </>
  );
}
