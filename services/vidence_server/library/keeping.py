"""Keeps documents: recognises repetitions, makes vectors, hands over to the committer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vidence_server.core.errors import DomainError, ErrorKind, Reason
from vidence_server.inference.engine import Priority
from vidence_server.library.commits import Put, Remove, VectorMissing
from vidence_server.library.committer import Committer, Outcome
from vidence_server.library.domain.documents import DocumentDraft, Kept, OnExisting, Vector
from vidence_server.library.domain.libraries import Library, library_not_found, model_unavailable
from vidence_server.library.indexes import check_vector
from vidence_server.library.ports import TextEmbedder
from vidence_server.library.store import documents, libraries
from vidence_server.storage.database import Database, Transaction

_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """How documents are kept."""

    on_existing: OnExisting = OnExisting.UPDATE
    must_exist: bool = False
    if_version: int = 0
    """0: whatever it is."""
    priority: Priority = Priority.INTERACTIVE


@dataclass(slots=True, eq=False)
class Turn:
    """A place in line: documents of one stream are committed in its order, whatever is prepared first."""

    before: asyncio.Event | None
    """Set when those before are lined up."""
    lined_up: asyncio.Event = field(default_factory=asyncio.Event)


class Keeper:
    """Keeps documents of any library; calls share nothing but the committer."""

    def __init__(
        self, database: Database, committer: Committer, embedders: Mapping[str, TextEmbedder]
    ) -> None:
        """A keeper.

        Args:
            database: Of the service.
            committer: Writes.
            embedders: Make vectors, by model.
        """
        self._database = database
        self._committer = committer
        self._embedders = embedders

    async def keep(
        self,
        library: Library,
        drafts: Sequence[DocumentDraft],
        policy: KeepPolicy,
        turn: Turn | None = None,
    ) -> list[Kept | DomainError]:
        """Keeps documents; gives what became of each when it survives the death of the process.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, QUEUE_FULL, DRAINING, STORAGE_FULL, STORAGE_FAILED: none was kept,
                or it is not known.
        """
        try:
            found = await self._attempt(library, drafts, policy, believe=True, turn=turn)
        finally:
            if turn is not None:
                turn.lined_up.set()
        for _ in range(_ATTEMPTS):
            again = [index for index, outcome in enumerate(found) if isinstance(outcome, VectorMissing)]
            if not again:
                break
            library = await self._fresh(library)
            some = [drafts[index] for index in again]
            outcomes = await self._attempt(library, some, policy, believe=False, turn=None)
            for index, outcome in zip(again, outcomes, strict=True):
                found[index] = outcome
        return [_settled(outcome) for outcome in found]

    async def remove(self, library: Library, document_id: str, if_version: int) -> Kept:
        """Deletes a document.

        Raises:
            DomainError: DOCUMENT_NOT_FOUND, REVISION_MISMATCH, and as `keep`.
        """
        future = await self._committer.submit(library, [Remove(document_id, if_version)])
        (outcome,) = await future
        settled = _settled(outcome)
        if isinstance(settled, DomainError):
            raise settled
        return settled

    async def _attempt(
        self,
        library: Library,
        drafts: Sequence[DocumentDraft],
        policy: KeepPolicy,
        *,
        believe: bool,
        turn: Turn | None,
    ) -> list[Outcome]:
        prepared = await self._prepare(library, drafts, policy, believe=believe)
        if turn is not None and turn.before is not None:
            await turn.before.wait()
        operations = [each for each in prepared if isinstance(each, Put)]
        if not operations:
            return [each for each in prepared if not isinstance(each, Put)]
        future = await self._committer.submit(library, operations)
        if turn is not None:
            turn.lined_up.set()
        outcomes = iter(await future)
        return [next(outcomes) if isinstance(each, Put) else each for each in prepared]

    async def _prepare(
        self, library: Library, drafts: Sequence[DocumentDraft], policy: KeepPolicy, *, believe: bool
    ) -> list[Put | DomainError]:
        there: Mapping[str, bytes] = {}
        if believe and library.document_count:
            async with self._database.snapshot() as snapshot:
                there = await documents.hashes(snapshot, library.no, [each.document_id for each in drafts])
                drafts = await _as_they_came(snapshot, library, drafts, there)
        repeated = [there.get(each.document_id) == each.content_hash for each in drafts]
        wanted = [
            index
            for index, each in enumerate(drafts)
            if each.vector is None and not repeated[index] and library.spec.embedding is not None
        ]
        vectors = await self._vectors(library, [drafts[index].text for index in wanted], policy.priority)
        made = dict(zip(wanted, vectors, strict=True))
        return [
            _put(each, policy, made.get(index), repeated=repeated[index], wordless=index in made)
            for index, each in enumerate(drafts)
        ]

    async def _vectors(
        self, library: Library, texts: Sequence[str], priority: Priority
    ) -> list[Vector | DomainError | None]:
        """A vector per text; None for one that has no words."""
        if not texts:
            return []
        embedder = self._embedders.get(library.model_id)
        if embedder is None:
            return [model_unavailable(library.model_id) for _ in texts]
        present = [index for index, text in enumerate(texts) if text.strip()]
        found: list[Vector | DomainError | None] = [None] * len(texts)
        try:
            made = await embedder.embed([texts[index] for index in present], priority=priority)
        except DomainError as error:
            if error.kind is not ErrorKind.INVALID_ARGUMENT:
                raise
            # One of them has nothing that could be embedded: which, each alone will tell.
            for index in present:
                found[index] = await _alone(embedder, texts[index], priority)
            return found
        encoded = np.ascontiguousarray(made, "<f4")
        for row, index in enumerate(present):
            found[index] = Vector(embedder.model_id, encoded[row].tobytes())
        return found

    async def _fresh(self, library: Library) -> Library:
        async with self._database.snapshot() as snapshot:
            fresh = await libraries.find_no(snapshot, library.no)
        if fresh is None:
            raise library_not_found(library.library_id)
        return fresh


async def _as_they_came(
    snapshot: Transaction, library: Library, drafts: Sequence[DocumentDraft], there: Mapping[str, bytes]
) -> Sequence[DocumentDraft]:
    """The same, where a vector that the server made is given back to it as if it had not been given.

    So does whoever sends the lines of an export: the content is what it was, and its hash must be.
    """
    made = {
        each.document_id: each
        for each in drafts
        if each.vector is not None
        and there.get(each.document_id, each.content_hash) != each.content_hash
        and there[each.document_id] == each.hash_without_vector()
    }
    if not made:
        return drafts
    kept = await documents.vectors_of(snapshot, library.no, list(made))
    same = {name for name, each in made.items() if kept.get(name) == each.vector}
    return [
        replace(each, content_hash=there[each.document_id]) if each.document_id in same else each
        for each in drafts
    ]


async def _alone(embedder: TextEmbedder, text: str, priority: Priority) -> Vector | None:
    try:
        made = await embedder.embed([text], priority=priority)
    except DomainError as error:
        if error.kind is not ErrorKind.INVALID_ARGUMENT:
            raise
        return None
    return Vector(embedder.model_id, np.ascontiguousarray(made[0], "<f4").tobytes())


def _put(
    draft: DocumentDraft,
    policy: KeepPolicy,
    made: Vector | DomainError | None,
    *,
    repeated: bool,
    wordless: bool,
) -> Put | DomainError:
    if isinstance(made, DomainError):
        return made
    if draft.vector is not None:
        try:
            check_vector(draft.vector)
        except DomainError as error:
            return error
    return Put(
        draft,
        draft.vector or made,
        believed_repeated=repeated,
        wordless=wordless and made is None,
        on_existing=policy.on_existing,
        must_exist=policy.must_exist,
        if_version=policy.if_version,
    )


def _settled(outcome: Outcome) -> Kept | DomainError:
    if isinstance(outcome, VectorMissing):
        return DomainError(
            Reason.STORAGE_FAILED, "The library changes faster than the document.", retry_after_s=1.0
        )
    return outcome
