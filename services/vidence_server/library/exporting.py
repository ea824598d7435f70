"""Exports a library as it was at one moment, while others write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.library.domain.documents import Document
from vidence_server.library.domain.exports import (
    Checkpoint,
    DocumentLines,
    ExportComplete,
    ExportEvent,
    ExportPlace,
    ExportStarted,
    export_expired,
    token_invalid,
)
from vidence_server.library.domain.libraries import Library, library_not_found
from vidence_server.library.domain.lines import NO_CHECKSUM, document_line, next_checksum
from vidence_server.library.journal import scope_of
from vidence_server.library.store import exports, libraries, reading
from vidence_server.library.store.exports import HeldExport
from vidence_server.storage.database import Database, Transaction

_PAGE = 250
_PIECE_BYTES = 256 * 1024
_RENEWALS = 4
"""How often a snapshot is held anew within the time that it is held."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    pieces: Sequence[bytes]
    checksum: bytes


class Exporting:
    """Holds snapshots and reads them."""

    def __init__(self, database: Database, *, clock: Clock, ids: IdFactory, hold: timedelta) -> None:
        """A reader of snapshots.

        Args:
            database: Of the service.
            clock: For the age of snapshots.
            ids: Names exports.
            hold: How long a snapshot is held after its last checkpoint.
        """
        self._database = database
        self._clock = clock
        self._ids = ids
        self._hold = hold

    async def export(
        self, tenant: str, library_id: str, *, resume_token: str = "", with_vectors: bool = True
    ) -> AsyncGenerator[ExportEvent, None]:
        """Exports a library, from the beginning or from a checkpoint.

        Yields:
            `ExportStarted`, lines with a `Checkpoint` after each page, `ExportComplete`.

        Raises:
            DomainError: LIBRARY_NOT_FOUND, EXPORT_TOKEN_INVALID, EXPORT_EXPIRED, STORAGE_FAILED.
        """
        if resume_token:
            place = ExportPlace.of_token(resume_token)
            library, held = await self._resumed(tenant, library_id, place)
        else:
            library, held = await self._begun(tenant, library_id)
            place = ExportPlace(held.export_id, "", 0, NO_CHECKSUM, with_vectors)
        yield ExportStarted(library, held.revision, held.document_count, place.document_count)
        renewed = self._clock.now()
        while documents := await self._page(held, place):
            encoded = await asyncio.to_thread(_encode, documents, place)
            for piece in encoded.pieces:
                yield DocumentLines(piece)
            place = replace(
                place,
                after_id=documents[-1].document_id,
                document_count=place.document_count + len(documents),
                checksum=encoded.checksum,
            )
            if self._clock.now() - renewed > self._hold / _RENEWALS:
                renewed = self._clock.now()
                await self._renew(held)
            yield Checkpoint(place)
        await self._release(held)
        yield ExportComplete(place.document_count, place.checksum)

    async def sweep(self) -> None:
        """Forgets what no export needs any more; raises `DomainError`, STORAGE_FULL or STORAGE_FAILED."""
        async with self._database.transaction() as transaction:
            await exports.sweep(transaction, self._clock.now())

    async def _begun(self, tenant: str, library_id: str) -> tuple[Library, HeldExport]:
        async with self._database.snapshot() as snapshot:
            known = await libraries.find(snapshot, tenant, library_id)
        if known is None:
            raise library_not_found(library_id)

        async def work(transaction: Transaction) -> tuple[Library, HeldExport]:
            library = await libraries.find(transaction, tenant, library_id, lock=True)
            if library is None:
                raise library_not_found(library_id)
            expire_time = self._clock.now() + self._hold
            held = HeldExport(
                self._ids.new("exp"), library.no, library.revision, library.document_count, expire_time
            )
            await exports.insert(transaction, held)
            return library, held

        return await self._database.run(work, scope=scope_of(known))

    async def _resumed(self, tenant: str, library_id: str, place: ExportPlace) -> tuple[Library, HeldExport]:
        async with self._database.snapshot() as snapshot:
            library = await libraries.find(snapshot, tenant, library_id)
            if library is None:
                raise library_not_found(library_id)
            held = await exports.find(snapshot, place.export_id, self._clock.now())
        if held is None:
            raise export_expired()
        if held.library_no != library.no:
            raise token_invalid()
        await self._renew(held)
        return library, held

    async def _page(self, held: HeldExport, place: ExportPlace) -> list[Document]:
        async with self._database.snapshot() as snapshot:
            if await exports.find(snapshot, held.export_id, self._clock.now()) is None:
                raise export_expired()  # the library was deleted, or this process slept
            return await reading.snapshot_page(
                snapshot,
                held.library_no,
                revision=held.revision,
                after_id=place.after_id,
                limit=_PAGE,
                with_vector=place.with_vectors,
            )

    async def _renew(self, held: HeldExport) -> None:
        expire_time = self._clock.now() + self._hold

        async def work(transaction: Transaction) -> None:
            if await exports.find(transaction, held.export_id, self._clock.now()) is None:
                raise export_expired()
            await exports.hold_until(transaction, held.export_id, expire_time)

        await self._database.run(work)

    async def _release(self, held: HeldExport) -> None:
        async def work(transaction: Transaction) -> None:
            await exports.release(transaction, held.export_id)
            await exports.sweep(transaction, self._clock.now())

        await self._database.run(work)


def _encode(documents: Sequence[Document], place: ExportPlace) -> _Encoded:
    pieces: list[bytes] = []
    lines: list[bytes] = []
    size, checksum = 0, place.checksum
    for document in documents:
        line = document_line(document, with_vector=place.with_vectors)
        checksum = next_checksum(checksum, line)
        lines.append(line)
        size += len(line)
        if size >= _PIECE_BYTES:
            pieces.append(b"\n".join(lines) + b"\n")
            lines, size = [], 0
    if lines:
        pieces.append(b"\n".join(lines) + b"\n")
    return _Encoded(pieces, checksum)
