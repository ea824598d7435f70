"""What a group of operations makes of a library: the same as if they came one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError
from vidence_server.library.commits import Decision, Operation, Put, Remove, plan, rows_of
from vidence_server.library.domain.changes import Change, DocumentCreated, DocumentDeleted, DocumentUpdated
from vidence_server.library.domain.documents import KeptState, OnExisting, draft
from vidence_server.library.domain.libraries import Library, LibrarySpec
from vidence_server.library.search.index import IndexKind
from vidence_server.library.store.documents import Existing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIBRARY = Library(
    no=1,
    tenant="default",
    uid="lib_1",
    spec=LibrarySpec("books", "", {}, None, IndexKind.EXACT),
    next_model_id="",
    revision=0,
    document_count=0,
    content_bytes=0,
    face_count=0,
    create_time=NOW,
    update_time=NOW,
)


def put(name: str, text: str, on_existing: OnExisting = OnExisting.UPDATE) -> Put:
    return Put(draft(name, text, {}), None, on_existing=on_existing)


operations = st.lists(
    st.one_of(
        st.builds(put, st.sampled_from("abc"), st.sampled_from(["x", "y", "z"]), st.sampled_from(OnExisting)),
        st.builds(Remove, st.sampled_from("abc"), st.integers(0, 3)),
    ),
    max_size=12,
)


class Model:
    """The documents as a dictionary, changed one operation at a time."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, str]] = {}
        self.states: list[KeptState | None] = []
        self.changes: list[Change] = []

    def take(self, operation: Operation) -> None:
        name = operation.document_id
        version, text = self.rows.get(name, (0, ""))
        if version and operation.if_version not in {0, version}:
            self.states.append(None)
        elif isinstance(operation, Remove):
            self.states.append(KeptState.DELETED if version else None)
            if version:
                del self.rows[name]
                self.changes.append(DocumentDeleted(name))
        elif not version:
            self.rows[name] = (1, operation.draft.text)
            self.states.append(KeptState.CREATED)
            self.changes.append(DocumentCreated(name, 1))
        elif text == operation.draft.text:
            self.states.append(KeptState.DUPLICATE)
        elif operation.on_existing is OnExisting.FAIL:
            self.states.append(None)
        else:
            self.rows[name] = (version + 1, operation.draft.text)
            self.states.append(KeptState.UPDATED)
            self.changes.append(DocumentUpdated(name, version + 1))


@pytest.mark.requirement("R-LI1")
@given(before=operations, group=operations)
def test_a_group_is_as_its_operations_one_by_one(before: list[Operation], group: list[Operation]) -> None:
    model = Model()
    for operation in before:
        model.take(operation)
    there = {
        name: Existing(number, version, 7, put(name, text).draft.content_hash, len(text) + 2, NOW)
        for number, (name, (version, text)) in enumerate(model.rows.items(), 1)
    }
    model.states.clear()
    model.changes.clear()
    for operation in group:
        model.take(operation)
    made = plan(LIBRARY, there, group, last_no=len(there), now=NOW)
    states = [verdict.state if isinstance(verdict, Decision) else None for verdict in made.verdicts]
    assert states == model.states
    assert made.changes == model.changes
    assert all(isinstance(verdict, Decision | DomainError) for verdict in made.verdicts)
    new, changed = rows_of(made, range(100, 100 + len(made.changes)), NOW)
    kept = {name: place.no for name, place in made.places.items()}
    assert kept.keys() == model.rows.keys()
    assert len(set(kept.values())) == len(kept)
    written = {row.document_id: (row.version, row.text) for row in (*new, *changed)}
    assert written.items() <= model.rows.items()
    assert all(
        made.changes[row.revision - 100] == model.changes[row.revision - 100] for row in (*new, *changed)
    )
    assert made.documents == len(model.rows) - len(there)
    size = sum(len(text) + 2 for _, text in model.rows.values())
    assert made.content_bytes == size - sum(row.size_bytes for row in there.values())
    assert {row.document_id for row in new}.isdisjoint(set(there) - set(made.removed))


@pytest.mark.requirement("R-LI1")
def test_a_version_that_an_export_told_is_kept() -> None:
    first, second = put("a", "x"), put("a", "y")
    made = plan(LIBRARY, {}, [first, second], last_no=0, now=NOW)
    new, changed = rows_of(made, [1, 2], NOW)
    assert [(row.version, row.revision, row.text) for row in new] == [(2, 2, "y")]
    assert changed == []
