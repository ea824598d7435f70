"""Keeps sessions and where their pictures are, and tells the bus how they begin and end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from vidence_server.capture.group_commit import GroupCommit
from vidence_server.capture.record import ImageRecord, SessionRecord, decode_record, encode_record
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Database, Transaction
from vidence_server.storage.outbox import Outbox, OutboxEvent

_METADATA = MetaData()
_SESSIONS = Table(
    "capture_sessions",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("reference", String(128), nullable=False),
    Column("expire_time", UtcDateTime, nullable=False),
    Column("end_time", UtcDateTime),
    Column("subject_id", String(128), nullable=False),
    Column("record", Text, nullable=False),
)
_IMAGES = Table(
    "capture_images",
    _METADATA,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("blob_id", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("expire_time", UtcDateTime, nullable=False),
)
IMAGE_OWNERS = (_IMAGES.c.blob_id, _IMAGES.c.tenant)
"""Says whose each blob is."""
_SESSION_ID = re.compile(r"ses_[0-9a-f-]{36}")
_PURGE_BATCH = 500


class OwnSession(NamedTuple):
    """A session of somebody."""

    id: str
    over: bool


class OwnImage(NamedTuple):
    """Where a picture of a session is."""

    session_id: str
    blob_id: str


class SessionStore:
    """The database of the service, in its terms."""

    def __init__(
        self,
        database: Database,
        writer: GroupCommit,
        outbox: Outbox,
        *,
        began: Callable[[SessionRecord], OutboxEvent],
        ended: Callable[[SessionRecord], OutboxEvent],
    ) -> None:
        """A store.

        Args:
            database: Open, migrated with `capture/migrations`.
            writer: Of the same database.
            outbox: Of the same database.
            began: Makes the event of a new session.
            ended: Makes the event of one that is over.
        """
        self._database = database
        self._writer = writer
        self._outbox = outbox
        self._began = began
        self._ended = ended

    async def add(self, record: SessionRecord) -> None:
        """Keeps a new session; raises `DomainError`, STORAGE_FULL or STORAGE_FAILED."""

        async def write(transaction: Transaction) -> None:
            await transaction.execute(insert(_SESSIONS), [_row(record)])
            await self._outbox.add(transaction, self._began(record))

        await self._writer.write(write)

    async def save(self, record: SessionRecord) -> None:
        """Keeps what became of a session; errors as `add`. May be repeated."""
        row = _row(record)
        session_id = row.pop("id")

        async def write(transaction: Transaction) -> None:
            changed = await transaction.execute(
                update(_SESSIONS)
                .where(_SESSIONS.c.id == session_id, _SESSIONS.c.end_time.is_(None))
                .values(**row)
            )
            if record.over and changed.rowcount:
                await self._outbox.add(transaction, self._ended(record))

        await self._writer.write(write)

    async def add_images(self, images: Sequence[ImageRecord]) -> None:
        """Keeps where pictures are; errors as `add`."""

        async def write(transaction: Transaction) -> None:
            await transaction.execute(insert(_IMAGES), [asdict(image) for image in images])

        await self._writer.write(write)

    async def image(self, tenant: str, image_id: str) -> ImageRecord:
        """Where a picture is; raises `DomainError`, IMAGE_NOT_FOUND."""
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(
                select(_IMAGES).where(_IMAGES.c.id == image_id, _IMAGES.c.tenant == tenant)
            )
            row = found.one_or_none()
        if row is None:
            raise DomainError(Reason.IMAGE_NOT_FOUND, "No picture that is kept has this id.")
        return ImageRecord(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it

    async def open_sessions(self, tenant: str) -> list[SessionRecord]:
        """A tenant's sessions that are not over, the oldest first."""
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(
                select(_SESSIONS.c.record)
                .where(_SESSIONS.c.end_time.is_(None), _SESSIONS.c.tenant == tenant)
                .order_by(_SESSIONS.c.id)
            )
            return [decode_record(row.record) for row in found]

    async def session(self, tenant: str, session_id: str) -> SessionRecord:
        """A session as it was kept last; raises `DomainError`, SESSION_NOT_FOUND."""
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(
                select(_SESSIONS.c.record).where(_SESSIONS.c.id == session_id, _SESSIONS.c.tenant == tenant)
            )
            row = found.one_or_none()
        if row is None:
            raise DomainError(Reason.SESSION_NOT_FOUND, "No capture session that is kept has this id.")
        return decode_record(row.record)

    async def tenant_of_session(self, session_id: str) -> str:
        """Whose a session is; empty: there is none."""
        return await self._tenant_of(_SESSIONS, session_id)

    async def tenant_of_image(self, image_id: str) -> str:
        """Whose a picture is; empty: there is none."""
        return await self._tenant_of(_IMAGES, image_id)

    async def page(self, tenant: str, *, reference: str, before: str, limit: int) -> list[SessionRecord]:
        """Sessions, the newest first.

        Args:
            tenant: Whose.
            reference: Only those with it; empty: all.
            before: Only those created before the one with this id; empty: all.
            limit: So many at most.

        Raises:
            DomainError: PAGE_TOKEN_INVALID where `before` is no id.
        """
        wanted = select(_SESSIONS.c.record).where(_SESSIONS.c.tenant == tenant)
        if reference:
            wanted = wanted.where(_SESSIONS.c.reference == reference)
        if before:
            if not _SESSION_ID.fullmatch(before):
                raise DomainError(Reason.PAGE_TOKEN_INVALID, "The page token was not given by this server.")
            wanted = wanted.where(_SESSIONS.c.id < before)
        async with self._database.snapshot() as transaction:
            # Ids are UUIDv7: they sort by creation.
            found = await transaction.execute(wanted.order_by(_SESSIONS.c.id.desc()).limit(limit))
            return [decode_record(row.record) for row in found]

    async def of_subject(self, tenant: str, subject_id: str) -> list[OwnSession]:
        """The sessions of somebody, the oldest first."""
        wanted = (
            select(_SESSIONS.c.id, _SESSIONS.c.end_time)
            .where(_SESSIONS.c.tenant == tenant, _SESSIONS.c.subject_id == subject_id)
            .where(_SESSIONS.c.subject_id != "")
            .order_by(_SESSIONS.c.id)
        )
        async with self._database.snapshot() as transaction:
            return [OwnSession(row.id, row.end_time is not None) for row in await transaction.execute(wanted)]

    async def images_of(self, session_ids: Sequence[str]) -> list[OwnImage]:
        """Where the pictures of sessions are."""
        found: list[OwnImage] = []
        async with self._database.snapshot() as transaction:
            for start in range(0, len(session_ids), _PURGE_BATCH):
                some = session_ids[start : start + _PURGE_BATCH]
                wanted = select(_IMAGES.c.session_id, _IMAGES.c.blob_id).where(_IMAGES.c.session_id.in_(some))
                found += [OwnImage(*row) for row in await transaction.execute(wanted)]
        return found

    async def forget(self, session_ids: Sequence[str]) -> None:
        """Removes sessions that are over, and where their pictures are; errors as `add`."""

        async def write(transaction: Transaction) -> None:
            for start in range(0, len(session_ids), _PURGE_BATCH):
                some = session_ids[start : start + _PURGE_BATCH]
                await transaction.execute(delete(_IMAGES).where(_IMAGES.c.session_id.in_(some)))
                await transaction.execute(delete(_SESSIONS).where(_SESSIONS.c.id.in_(some)))

        # Behind what is still to be written of them.
        await self._writer.write(write)

    async def _tenant_of(self, table: Table, row_id: str) -> str:
        async with self._database.snapshot() as transaction:
            found = await transaction.execute(select(table.c.tenant).where(table.c.id == row_id))
            return str(found.scalar_one_or_none() or "")

    async def purge(self, *, ended_before: datetime, now: datetime) -> int:
        """Forgets old sessions and expired pictures; how many sessions."""
        old = (
            select(_SESSIONS.c.id)
            .where(_SESSIONS.c.end_time < ended_before)
            .limit(_PURGE_BATCH)
            .scalar_subquery()
        )
        async with self._database.transaction() as transaction:
            removed = await transaction.execute(delete(_SESSIONS).where(_SESSIONS.c.id.in_(old)))
            await transaction.execute(delete(_IMAGES).where(_IMAGES.c.expire_time < now))
            await self._outbox.forget_refused(transaction, ended_before)
            return removed.rowcount


def _row(record: SessionRecord) -> dict[str, object]:
    return {
        "id": record.session_id,
        "tenant": record.tenant,
        "reference": record.plan.reference,
        "expire_time": record.expire_time,
        "end_time": record.end_time,
        "subject_id": record.plan.subject_id,
        "record": encode_record(record),
    }
