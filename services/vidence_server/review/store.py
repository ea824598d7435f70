"""The tables of reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from vidence_server.review.domain.review import Attendant, Claim, Decision, Note, Review, Verdict
from vidence_server.storage.column_types import UtcDateTime
from vidence_server.storage.database import Transaction

_METADATA = MetaData()


def _of_subject() -> tuple[Column[Any], ...]:
    return (
        Column("tenant", String(64), primary_key=True),
        Column("subject", String(128), primary_key=True),
    )


_REVIEWS = Table(
    "reviews",
    _METADATA,
    *_of_subject(),
    Column("revision", BigInteger, nullable=False),
    Column("claimed_by", String(80)),
    Column("claim_time", UtcDateTime),
    Column("verdict", String(16)),
    Column("decided_by", String(80)),
    Column("decide_time", UtcDateTime),
    Column("note_count", Integer, nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
    Column("update_time", UtcDateTime, nullable=False),
)
_NOTES = Table(
    "review_notes",
    _METADATA,
    *_of_subject(),
    Column("note_id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("reviewer", String(80), nullable=False),
    Column("text", Text, nullable=False),
    Column("create_time", UtcDateTime, nullable=False),
)
_ATTENDANTS = Table(
    "review_attendants",
    _METADATA,
    *_of_subject(),
    Column("attendance_id", String(64), primary_key=True),
    Column("reviewer", String(80), nullable=False),
    Column("since_time", UtcDateTime, nullable=False),
    Column("expire_time", UtcDateTime, nullable=False),
)


class Name(NamedTuple):
    """Which review."""

    tenant: str
    subject: str


class PagePlace(NamedTuple):
    """Behind which review a page begins."""

    update_time: datetime
    subject: str


async def select_review(transaction: Transaction, name: Name) -> Review:
    """A review; at revision 0 where there is none."""
    wanted = select(_REVIEWS).where(_REVIEWS.c.tenant == name.tenant, _REVIEWS.c.subject == name.subject)
    row = (await transaction.execute(wanted)).one_or_none()
    return Review(*name) if row is None else _review(row)


async def save_review(transaction: Transaction, review: Review) -> None:
    """Keeps a review after a change."""
    values = _values(review)
    if review.revision == 1:
        await transaction.execute(
            insert(_REVIEWS), [{"tenant": review.tenant, "subject": review.subject, **values}]
        )
        return
    its = (_REVIEWS.c.tenant == review.tenant, _REVIEWS.c.subject == review.subject)
    await transaction.execute(update(_REVIEWS).where(*its).values(**values))


async def select_page(
    transaction: Transaction, tenant: str, *, before: PagePlace | None, undecided: bool, limit: int
) -> list[Review]:
    """Reviews, the last changed first."""
    wanted = select(_REVIEWS).where(_REVIEWS.c.tenant == tenant)
    if undecided:
        wanted = wanted.where(_REVIEWS.c.verdict.is_(None))
    if before is not None:
        wanted = wanted.where(tuple_(_REVIEWS.c.update_time, _REVIEWS.c.subject) < tuple_(*before))
    order = (_REVIEWS.c.update_time.desc(), _REVIEWS.c.subject.desc())
    return [_review(row) for row in await transaction.execute(wanted.order_by(*order).limit(limit))]


async def select_names(transaction: Transaction, *, after: Name | None, limit: int) -> list[Review]:
    """Reviews of all tenants by name, for those who go through all of them."""
    wanted = select(_REVIEWS)
    if after is not None:
        wanted = wanted.where(tuple_(_REVIEWS.c.tenant, _REVIEWS.c.subject) > tuple_(*after))
    order = (_REVIEWS.c.tenant, _REVIEWS.c.subject)
    return [_review(row) for row in await transaction.execute(wanted.order_by(*order).limit(limit))]


async def delete_review(transaction: Transaction, name: Name) -> bool:
    """Removes a review with its notes; whether it was there."""
    for table in (_NOTES, _ATTENDANTS):
        await transaction.execute(
            delete(table).where(table.c.tenant == name.tenant, table.c.subject == name.subject)
        )
    its = (_REVIEWS.c.tenant == name.tenant, _REVIEWS.c.subject == name.subject)
    return (await transaction.execute(delete(_REVIEWS).where(*its))).rowcount > 0


async def select_note(transaction: Transaction, name: Name, note_id: str) -> Note | None:
    """One note."""
    wanted = _notes(name).where(_NOTES.c.note_id == note_id)
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else _note(row)


async def select_notes(transaction: Transaction, name: Name) -> list[Note]:
    """All notes, the oldest first."""
    return [_note(row) for row in await transaction.execute(_notes(name).order_by(_NOTES.c.number))]


async def insert_note(transaction: Transaction, name: Name, number: int, note: Note) -> None:
    """Keeps a note; `number` orders the notes of a review."""
    values = {"note_id": note.id, "reviewer": note.reviewer, "text": note.text, "create_time": note.time}
    await transaction.execute(insert(_NOTES), [{**name._asdict(), "number": number, **values}])


async def renew_attendant(
    transaction: Transaction, name: Name, attendance_id: str, reviewer: str, expire_time: datetime
) -> bool:
    """Lets somebody count for longer; whether they did count."""
    its = (*_attending(name), _ATTENDANTS.c.attendance_id == attendance_id)
    changed = await transaction.execute(
        update(_ATTENDANTS).where(*its, _ATTENDANTS.c.reviewer == reviewer).values(expire_time=expire_time)
    )
    return changed.rowcount > 0


async def insert_attendant(
    transaction: Transaction, name: Name, attendant: Attendant, expire_time: datetime
) -> None:
    """Lets somebody count, under a new name where the window had another."""
    await delete_attendant(transaction, name, attendant.id)
    values = {
        "attendance_id": attendant.id,
        "reviewer": attendant.reviewer,
        "since_time": attendant.since,
        "expire_time": expire_time,
    }
    await transaction.execute(insert(_ATTENDANTS), [{**name._asdict(), **values}])


async def delete_attendant(transaction: Transaction, name: Name, attendance_id: str) -> bool:
    """Lets somebody count no more; whether they did."""
    its = (*_attending(name), _ATTENDANTS.c.attendance_id == attendance_id)
    return (await transaction.execute(delete(_ATTENDANTS).where(*its))).rowcount > 0


async def delete_silent(transaction: Transaction, name: Name, now: datetime) -> bool:
    """Lets those count no more who said nothing for too long; whether there were any."""
    its = (*_attending(name), _ATTENDANTS.c.expire_time < now)
    return (await transaction.execute(delete(_ATTENDANTS).where(*its))).rowcount > 0


async def select_attendants(transaction: Transaction, name: Name) -> tuple[Attendant, ...]:
    """Those who count, by time."""
    wanted = select(_ATTENDANTS).where(*_attending(name))
    rows = await transaction.execute(wanted.order_by(_ATTENDANTS.c.since_time, _ATTENDANTS.c.attendance_id))
    return tuple(Attendant(row.attendance_id, row.reviewer, row.since_time) for row in rows)


async def select_with_silent(transaction: Transaction, now: datetime, *, limit: int) -> Sequence[Name]:
    """Reviews at which somebody looks who said nothing for too long."""
    wanted = (
        select(_ATTENDANTS.c.tenant, _ATTENDANTS.c.subject)
        .where(_ATTENDANTS.c.expire_time < now)
        .distinct()
        .limit(limit)
    )
    return [Name(row.tenant, row.subject) for row in await transaction.execute(wanted)]


def _notes(name: Name) -> Any:
    return select(_NOTES).where(_NOTES.c.tenant == name.tenant, _NOTES.c.subject == name.subject)


def _attending(name: Name) -> tuple[Any, Any]:
    return (_ATTENDANTS.c.tenant == name.tenant, _ATTENDANTS.c.subject == name.subject)


def _note(row: Row[Any]) -> Note:
    return Note(row.note_id, row.reviewer, row.text, row.create_time)


def _review(row: Row[Any]) -> Review:
    return Review(
        row.tenant,
        row.subject,
        row.revision,
        None if row.claimed_by is None else Claim(row.claimed_by, row.claim_time),
        None if row.verdict is None else Decision(Verdict(row.verdict), row.decided_by, row.decide_time),
        row.note_count,
        row.create_time,
        row.update_time,
    )


def _values(review: Review) -> dict[str, object]:
    claim, decision = review.claim, review.decision
    return {
        "revision": review.revision,
        "claimed_by": claim and claim.reviewer,
        "claim_time": claim and claim.time,
        "verdict": decision and decision.verdict.value,
        "decided_by": decision and decision.reviewer,
        "decide_time": decision and decision.time,
        "note_count": review.note_count,
        "create_time": review.create_time,
        "update_time": review.update_time,
    }
