"""Faces: enrolled, found, deleted. Templates of different models are never compared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.sealing import Sealing
from vidence_server.library.domain.changes import FaceEnrolled, SubjectDeleted
from vidence_server.library.domain.documents import Vector
from vidence_server.library.domain.faces import (
    Face,
    FaceHit,
    FaceModel,
    FaceSearchResult,
    FaceTemplate,
    face_exists,
    subject_not_found,
)
from vidence_server.library.domain.libraries import Library, library_not_found, model_unavailable
from vidence_server.library.domain.pages import DEFAULT_PAGE_SIZE, decode_token, encode_token
from vidence_server.library.indexes import MakeIndex, check_vector, stacked
from vidence_server.library.journal import Journal
from vidence_server.library.ports import FaceEmbedder
from vidence_server.library.search.index import IndexKind, VectorIndex
from vidence_server.library.store import faces, libraries
from vidence_server.library.store.erasure import erase_deleted
from vidence_server.library.store.libraries import Growth
from vidence_server.library.store.template_keys import label_of, opened
from vidence_server.storage.database import Database, Transaction

_PAGE = 2000
_OWNERS = 500


@dataclass(slots=True, eq=False)
class _Held:
    """The templates of one model in one library."""

    index: VectorIndex
    last_no: int
    """Row number of the newest one."""


class FaceRecords:
    """The faces of all libraries."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        make: MakeIndex,
        *,
        embedder: FaceEmbedder | None,
        sealing: Sealing | None = None,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        """Records of faces.

        Args:
            database: Of the service.
            journal: Is told the changes.
            make: Makes indexes.
            embedder: Makes templates of pictures; None: clients send templates.
            sealing: How templates are kept; None: as they are.
            clock: The time of changes.
            ids: Names templates.
        """
        self._database = database
        self._journal = journal
        self._make = make
        self._embedder = embedder
        self._sealing = sealing or Sealing()
        self._clock = clock
        self._ids = ids
        self._held: dict[tuple[int, FaceModel], _Held] = {}  # bound: those that were searched
        self._loading = asyncio.Lock()

    async def template_of(self, image: bytes) -> FaceTemplate:
        """The template of the one face in a picture.

        Raises:
            DomainError: EMBEDDING_UNAVAILABLE, and what the picture is refused for.
        """
        if self._embedder is None:
            raise model_unavailable("face")
        return await self._embedder.template(image)

    async def enroll(
        self, tenant: str, library_id: str, subject_id: str, face_id: str, template: FaceTemplate
    ) -> tuple[Face, bool]:
        """Keeps a template; True: it was there.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, FACE_EXISTS, REQUEST_INVALID; KEY_UNAVAILABLE, and of the one that
                is there KEY_UNKNOWN, CIPHERTEXT_INVALID.
        """
        data = _normalised(template)
        key = await asyncio.to_thread(self._sealing.fresh, tenant)

        async def work(transaction: Transaction) -> tuple[Face, bool]:
            await faces.overwrite_what_is_deleted(transaction)
            library = await _locked(transaction, tenant, library_id)
            known = await faces.find(transaction, library.no, face_id) if face_id else None
            if known is not None:
                face, kept = known
                there = await asyncio.to_thread(self._sealing.open, kept, label_of(library, face))
                if (face.subject_id, face.model, there) != (subject_id, template.model, data):
                    raise face_exists()
                return face, True
            face = Face(face_id or self._ids.new("fac"), subject_id, template.model, self._clock.now())
            kept = self._sealing.seal(data, label_of(library, face), key)
            await self._insert(transaction, library, face, kept)
            return face, False

        return await self._database.run(work)

    async def search(
        self,
        tenant: str,
        library_id: str,
        template: FaceTemplate,
        *,
        k: int,
        minimum_score: float | None,
    ) -> FaceSearchResult:
        """The subjects whose templates are closest, each by its best one.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, REQUEST_INVALID; KEY_UNAVAILABLE, KEY_UNKNOWN, CIPHERTEXT_INVALID:
                one of the templates cannot be read, and nobody is found rather than somebody left out.
        """
        query = np.frombuffer(_normalised(template), "<f4")
        async with self._database.snapshot() as snapshot:
            library = await _found(snapshot, tenant, library_id)
            counts = await faces.counts(snapshot, library.no)
            own = counts.get(template.model, 0)
            others = sum(counts.values()) - own
            if not own:
                return FaceSearchResult((), 0, others)
            held = await self._current(snapshot, library, template.model, own, len(query))
        best = await self._best(library, held, query, k)
        hits = [
            FaceHit(rank, subject, face, score)
            for rank, (subject, (face, score)) in enumerate(best.items(), 1)
            if rank <= k and (minimum_score is None or score >= minimum_score)
        ]
        return FaceSearchResult(hits, own, others)

    async def page(
        self, tenant: str, library_id: str, *, subject_id: str, page_size: int, page_token: str
    ) -> tuple[list[Face], str]:
        """A page of faces and the token of the next.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, PAGE_TOKEN_INVALID.
        """
        listing = f"faces/{tenant}/{library_id}/{subject_id}"
        after_id, size = decode_token(listing, page_token), page_size or DEFAULT_PAGE_SIZE
        async with self._database.snapshot() as snapshot:
            library = await _found(snapshot, tenant, library_id)
            found = await faces.page(
                snapshot, library.no, subject_id=subject_id, after_id=after_id, limit=size + 1
            )
        more = len(found) > size
        found = found[:size]
        return found, encode_token(listing, found[-1].face_id) if more else ""

    async def delete_subject(self, tenant: str, library_id: str, subject_id: str) -> int:
        """Deletes all templates of a subject; gives how many. No file of the database has them afterwards.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, SUBJECT_NOT_FOUND; STORAGE_FAILED, to be repeated: once the
                subject is not found, nothing of it is left in the files either.
        """

        async def work(transaction: Transaction) -> tuple[Library, list[int]]:
            await faces.overwrite_what_is_deleted(transaction)
            library = await _locked(transaction, tenant, library_id)
            nos = await faces.numbers_of(transaction, library.no, subject_id)
            if not nos:
                return library, nos
            await faces.remove(transaction, library.no, subject_id)
            places = await self._journal.record(transaction, library, [SubjectDeleted(len(nos))])
            await libraries.grow(transaction, library.no, Growth(places[-1].sequence, faces=-len(nos)))
            return library, nos

        library, nos = await self._database.run(work)
        if not nos:
            await erase_deleted(self._database)  # an earlier attempt may have been held up there
            raise subject_not_found()
        gone = np.array(nos, np.int64)
        async with self._loading:
            for (library_no, _), held in self._held.items():
                if library_no == library.no:
                    await asyncio.to_thread(held.index.remove, gone)
        await erase_deleted(self._database)
        return len(nos)

    async def _insert(
        self,
        transaction: Transaction,
        library: Library,
        face: Face,
        kept: bytes,
    ) -> None:
        _, last_no = await libraries.last_numbers(transaction, library.no)
        places = await self._journal.record(transaction, library, [FaceEnrolled(face.face_id)])
        await faces.insert(transaction, library.no, last_no + 1, face, kept)
        await libraries.grow(
            transaction, library.no, Growth(places[-1].sequence, faces=1, last_face_no=last_no + 1)
        )

    async def _current(
        self, snapshot: Transaction, library: Library, model: FaceModel, count: int, dimensions: int
    ) -> _Held:
        """The templates of a model as the snapshot has them, at least."""
        key = (library.no, model)
        async with self._loading:
            held = self._held.get(key)
            if held is None:
                held = _Held(self._make(IndexKind.EXACT, dimensions), 0)
            await self._add_new(snapshot, held, library, model)
            if held.index.count != count and await self._counted_anew(library, model) != held.index.count:
                held = _Held(self._make(IndexKind.EXACT, dimensions), 0)
                await self._add_new(snapshot, held, library, model)
            self._held[key] = held
        return held

    async def _add_new(self, snapshot: Transaction, held: _Held, library: Library, model: FaceModel) -> None:
        while rows := await faces.templates(snapshot, library.no, model, after_no=held.last_no, limit=_PAGE):
            ids = np.fromiter((row.no for row in rows), np.int64, len(rows))
            data = await asyncio.to_thread(opened, self._sealing, library, rows)
            await asyncio.to_thread(held.index.add, ids, stacked(data))
            held.last_no = rows[-1].no

    async def _counted_anew(self, library: Library, model: FaceModel) -> int:
        """Templates as they are now: the snapshot may be older than what the index was told."""
        async with self._database.snapshot() as snapshot:
            return (await faces.counts(snapshot, library.no)).get(model, 0)

    async def _best(
        self, library: Library, held: _Held, query: np.ndarray, k: int
    ) -> dict[str, tuple[str, float]]:
        """(face, score) by subject, best first; at least k of them where there are so many."""
        wanted = 4 * k
        while True:
            ids, scores = await asyncio.to_thread(held.index.search, query, min(wanted, 100_000), None)
            owners: dict[int, tuple[str, str]] = {}
            async with self._database.snapshot() as snapshot:
                for start in range(0, len(ids), _OWNERS):
                    owners |= await faces.owners(snapshot, library.no, ids[start : start + _OWNERS].tolist())
            best: dict[str, tuple[str, float]] = {}
            for no, score in zip(ids.tolist(), scores.tolist(), strict=True):
                if no in owners:  # else it was deleted meanwhile
                    best.setdefault(owners[no][0], (owners[no][1], score))
            if len(best) >= k or len(ids) < wanted or wanted >= 100_000:
                return best
            wanted *= 8


def _normalised(template: FaceTemplate) -> bytes:
    check_vector(Vector(template.model.name, template.data))
    values = np.frombuffer(template.data, "<f4").astype(np.float64)
    scaled: np.ndarray = (values / np.linalg.norm(values)).astype("<f4")
    return scaled.tobytes()


async def _locked(transaction: Transaction, tenant: str, library_id: str) -> Library:
    library = await libraries.find(transaction, tenant, library_id, lock=True)
    if library is None:
        raise library_not_found(library_id)
    return library


async def _found(snapshot: Transaction, tenant: str, library_id: str) -> Library:
    library = await libraries.find(snapshot, tenant, library_id)
    if library is None:
        raise library_not_found(library_id)
    return library
