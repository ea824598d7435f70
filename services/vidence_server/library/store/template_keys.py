"""Face templates as they are kept: under which label, and brought under another key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select, tuple_, update

from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.key_counts import KeyCounts
from vidence_server.encryption.sealing import Sealing, is_under
from vidence_server.library.domain.faces import Face
from vidence_server.library.domain.libraries import Library
from vidence_server.library.store.erasure import erase_deleted
from vidence_server.library.store.faces import KeptTemplate, overwrite_what_is_deleted
from vidence_server.library.tables import FACES, LIBRARIES
from vidence_server.storage.blob_format import BlobLabel
from vidence_server.storage.database import Database, Transaction

KIND = "face-template"
_PAGE = 200


@dataclass(slots=True)
class RotatedTemplates:
    """What a rotation did."""

    current: int = 0
    """Were under the current key already."""
    rotated: int = 0
    """Are now under it."""
    refused: int = 0
    """Could not be read; they stay as they are."""


@dataclass(frozen=True, slots=True)
class _Row:
    library_no: int
    no: int
    label: BlobLabel
    kept: bytes
    library_id: str
    face_id: str

    @property
    def name(self) -> str:
        """As an operator finds it again."""
        return f"{self.label.tenant}/{self.library_id}/{self.face_id}"


def label_of(library: Library, face: Face | KeptTemplate) -> BlobLabel:
    """What a template is kept as: it is never compared as that of another face, subject or library."""
    return _label(library.tenant, library.uid, face.face_id, face.subject_id)


def opened(sealing: Sealing, library: Library, rows: Sequence[KeptTemplate]) -> list[bytes]:
    """The templates of rows; raises `DomainError` as `Sealing.open`. Blocks."""
    return [sealing.open(row.kept, label_of(library, row)) for row in rows]


async def rotate_templates(
    database: Database, sealing: Sealing, told: Callable[[RotatedTemplates], None]
) -> RotatedTemplates:
    """Brings all templates under the current key; what is plain is encrypted, and its old bytes are erased.

    May stand beside the service, and be broken off and begun again at any time: a template is exchanged only
    for itself, where nobody has changed it meanwhile.

    Args:
        database: Of the library service, opened.
        sealing: With the keys.
        told: Called with the numbers after each page.

    Raises:
        DomainError: KEY_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED.
    """
    numbers, key_id = RotatedTemplates(), await asyncio.to_thread(sealing.current_key_id)
    after = (0, -1)
    while rows := await _page(database, after):
        after = (rows[-1].library_no, rows[-1].no)
        fresh = await asyncio.to_thread(_resealed, sealing, key_id, rows, numbers)
        if fresh:
            numbers.rotated += await database.run(partial(_exchange, fresh))
        told(numbers)
    # Also where nothing was left to do: an earlier run may have ended before this.
    await erase_deleted(database)
    return numbers


async def count_keys(database: Database, sealing: Sealing) -> KeyCounts:
    """Templates by the key that they are under; a damaged one as `tenant/library/face`."""
    counts = KeyCounts()
    after = (0, -1)
    while rows := await _page(database, after):
        after = (rows[-1].library_no, rows[-1].no)
        for row in rows:
            counts.add(sealing, row.kept, row.name)
    return counts


def _label(tenant: str, library_uid: str, face_id: str, subject_id: str) -> BlobLabel:
    return BlobLabel(tenant, KIND, f"{library_uid}/{face_id}", subject_id)


async def _page(database: Database, after: tuple[int, int]) -> list[_Row]:
    wanted = (
        select(
            FACES.c.library_no,
            FACES.c.no,
            LIBRARIES.c.tenant,
            LIBRARIES.c.uid,
            FACES.c.face_id,
            FACES.c.subject_id,
            FACES.c.template,
            LIBRARIES.c.library_id,
        )
        .join(LIBRARIES, LIBRARIES.c.no == FACES.c.library_no)
        .where(tuple_(FACES.c.library_no, FACES.c.no) > after)
        .order_by(FACES.c.library_no, FACES.c.no)
        .limit(_PAGE)
    )
    async with database.snapshot() as snapshot:
        return [
            _Row(row[0], row[1], _label(*row[2:6]), row[6], row[7], row[4])
            for row in await snapshot.execute(wanted)
        ]


def _resealed(
    sealing: Sealing, key_id: str, rows: Sequence[_Row], numbers: RotatedTemplates
) -> list[tuple[_Row, bytes]]:
    fresh = []
    for row in rows:
        if is_under(row.kept, key_id):
            numbers.current += 1
            continue
        try:
            fresh.append((row, sealing.resealed(row.kept, row.label)))
        except DomainError as error:
            if error.reason is Reason.KEY_UNAVAILABLE:
                raise
            numbers.refused += 1
    return fresh


async def _exchange(fresh: Sequence[tuple[_Row, bytes]], transaction: Transaction) -> int:
    """Exchanges templates that nobody has changed or deleted; gives how many."""
    await overwrite_what_is_deleted(transaction)
    count = 0
    for row, kept in fresh:
        changed = await transaction.execute(
            update(FACES)
            .where(FACES.c.library_no == row.library_no, FACES.c.no == row.no, FACES.c.template == row.kept)
            .values(template=kept)
        )
        count += changed.rowcount
    return count
