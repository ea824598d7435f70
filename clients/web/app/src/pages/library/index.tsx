import "./library.css";

import { useSignal } from "@preact/signals";
import type { Library } from "@protos/vidence/library/v1/library_pb";
import { type Failure, failureOf } from "@vidence/client";
import type { JSX } from "preact";
import { useLocation } from "preact-iso";
import { useEffect, useState } from "preact/hooks";

import { libraries } from "../../api";
import { count } from "../../language";
import { Nothing } from "../../parts/nothing";
import { useShown } from "../../parts/shown";
import type { Page } from "..";
import { SearchPanel } from "./search_panel";
import { allLibraries, DocumentCount } from "./shelf";
import { Transfer } from "./transfer";
import { say, why } from "./words";

const PATH = "/library";

/** What has been read is found here. */
export const library: Page = { path: PATH, title: () => say("title"), component: LibraryPage };

function LibraryPage(): JSX.Element {
  const { query, route } = useLocation();
  const isShown = useShown();
  const list = useSignal<readonly Library[] | undefined>(undefined);
  const failure = useSignal<Failure | undefined>(undefined);
  const creating = useSignal(false);
  const waiting = useSignal(false);
  useEffect(() => {
    const call = new AbortController();
    allLibraries(libraries, call.signal, (on) => (waiting.value = on)).then(
      (all) => (list.value = withThose(all, list.value)),
      (error: unknown) => {
        if (!call.signal.aborted) failure.value = failureOf(error);
      },
    );
    return () => {
      call.abort();
    };
  }, [list, failure, waiting]);
  const all = list.value ?? [];
  const open = query.id ?? all[0]?.libraryId;
  const show = (libraryId: string): void => {
    route(`${PATH}?id=${encodeURIComponent(libraryId)}`);
  };
  return (
    <div class="library stack">
      <header class="row spread">
        <h1>{say("heading")}</h1>
        <div class="row">
          {all.length > 0 && <Choice all={all} open={open} onChoose={show} />}
          <button
            type="button"
            aria-expanded={creating.value}
            onClick={() => (creating.value = !creating.value)}
          >
            {say("new")}
          </button>
        </div>
      </header>
      {waiting.value && <p role="alert">{say("waiting")}</p>}
      {failure.value && (
        <p role="alert">{why(failure.value.reason, say("failure", { message: failure.value.message }))}</p>
      )}
      {list.value === undefined && !failure.value && <Nothing known={false} failed={false} empty="" />}
      {(creating.value || list.value?.length === 0) && (
        <NewLibrary
          first={list.value?.length === 0}
          onCreated={(created) => {
            // As the list is now: it may have come while the answer was on its way.
            list.value = withThose(list.value, [created]);
            creating.value = false;
            if (isShown()) show(created.libraryId);
          }}
        />
      )}
      {open !== undefined && <OpenLibrary key={open} libraryId={open} />}
    </div>
  );
}

/** Some libraries, and those of others that are not among them. */
function withThose(some: readonly Library[] = [], others: readonly Library[] = []): readonly Library[] {
  const known = new Set(some.map(({ libraryId }) => libraryId));
  return [...some, ...others.filter(({ libraryId }) => !known.has(libraryId))];
}

interface ChoiceProps {
  readonly all: readonly Library[];
  readonly open: string | undefined;
  readonly onChoose: (libraryId: string) => void;
}

function Choice({ all, open, onChoose }: ChoiceProps): JSX.Element {
  return (
    <select
      aria-label={say("choose")}
      value={open}
      onChange={(event) => {
        onChoose(event.currentTarget.value);
      }}
    >
      {all.map(({ libraryId, displayName }) => (
        <option key={libraryId} value={libraryId}>
          {displayName || libraryId}
        </option>
      ))}
    </select>
  );
}

function OpenLibrary({ libraryId }: { readonly libraryId: string }): JSX.Element {
  const [documents] = useState(() => new DocumentCount(libraries));
  const failure = useSignal<Failure | undefined>(undefined);
  useEffect(() => {
    documents.follow(libraryId).catch((error: unknown) => (failure.value = failureOf(error)));
    return () => {
      documents.close();
    };
  }, [documents, libraryId, failure]);
  const told = documents.value.value;
  if (failure.value?.reason === "LIBRARY_NOT_FOUND") {
    return <p role="alert">{why(failure.value.reason, failure.value.message)}</p>;
  }
  return (
    <>
      <Transfer libraryId={libraryId}>
        <p class="held">{told === undefined ? "" : say("documents", { count: count(told) })}</p>
      </Transfer>
      <SearchPanel libraryId={libraryId} documents={told} />
    </>
  );
}

interface NewProps {
  readonly first: boolean;
  readonly onCreated: (library: Library) => void;
}

function NewLibrary({ first, onCreated }: NewProps): JSX.Element {
  const told = useSignal("");
  const create = async (form: HTMLFormElement): Promise<void> => {
    const written = new FormData(form);
    const [displayName, libraryId] = [written.get("name"), written.get("id")].map((value) =>
      typeof value === "string" ? value.trim() : "",
    );
    try {
      const answer = await libraries.createLibrary({
        displayName: displayName ?? "",
        libraryId: libraryId ?? "",
      });
      if (answer.library) onCreated(answer.library);
    } catch (error) {
      const { reason, message } = failureOf(error);
      told.value = why(reason, say("failure", { message }));
    }
  };
  return (
    <form
      class="panel row new-library"
      onSubmit={async (event) => {
        event.preventDefault();
        await create(event.currentTarget);
      }}
    >
      {first && <p>{say("none")}</p>}
      <label>
        {say("new.name")}
        <input type="text" name="name" maxLength={256} required />
      </label>
      <label>
        {say("new.id")}
        <input type="text" name="id" maxLength={64} pattern="[a-z0-9][a-z0-9_\-]*" />
      </label>
      <button type="submit" class="primary">
        {say("create")}
      </button>
      {told.value !== "" && <p role="alert">{told.value}</p>}
    </form>
  );
}
