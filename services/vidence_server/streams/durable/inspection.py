"""Looking at a file of logs while nobody uses it: what is there, what is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.file_lock import FileLock
from vidence_server.streams.cursor import log_id
from vidence_server.streams.durable.block_file import Block, BlockFile
from vidence_server.streams.durable.paging import Stretch, read_page
from vidence_server.streams.durable.sqlite_reader import SqliteReader, base
from vidence_server.streams.durable.sqlite_schema import LAST_OFFSET, SCHEMA_VERSION
from vidence_server.streams.durable.store import Extent, StoreError, UnreadableError
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.entry import Entry, GapReason, Hole

_PAGE = Stretch(0, 0, limit=2048, max_bytes=8 * 2**20)
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets without events, both ends inclusive."""

    first: int
    last: int
    reason: str
    """A name of `vidence.stream.v1.GapReason`."""


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log."""

    tenant: str
    name: str
    number: int
    """In the file."""
    epoch: int
    oldest: int
    """Everything up to this offset has expired."""
    newest: int
    reserved: int
    """Offsets up to here may have been used."""
    event_count: int
    """Events that can be read."""
    size_bytes: int
    corrupt_count: int
    """Events that cannot, or fail their checksum."""
    corrupt: tuple[OffsetRange, ...]
    holes: tuple[OffsetRange, ...]
    """Ranges that are known to have no events."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A file of logs."""

    path: str
    sound: bool
    problems: tuple[str, ...]
    """What the database finds wrong with itself; the first twenty."""
    logs: tuple[LogReport, ...]


def verify(path: Path) -> VerifyReport:
    """Checks every record of a file that no server uses. Changes nothing; blocks.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE.
        OSError: There is no such file.
    """
    path.stat()
    with FileLock(path):
        return inspect(path)


def inspect(path: Path) -> VerifyReport:
    """As `verify`; the caller has the lock."""
    reader = SqliteReader(path)
    try:
        problems = list(_problems(reader))
        tails = list(_tails(reader, BlockFile.read(path), problems))
        logs = tuple(_report(reader, tenant, name, tail) for tenant, name, tail in tails)
    finally:
        reader.close()
    sound = not problems and not any(log.corrupt_count for log in logs)
    return VerifyReport(str(path), sound, tuple(problems[:_MOST_PROBLEMS]), logs)


def hole_of(found: OffsetRange) -> Hole:
    """A range as the log records it."""
    reason = GapReason[found.reason]
    known = reason is not GapReason.UNCLEAN_STOP
    return Hole(found.first - 1, found.last, reason, found.last - found.first + 1 if known else None)


def _problems(reader: SqliteReader) -> Iterator[str]:
    """What SQLite finds; its words hold numbers of pages and rows, and no contents."""
    try:
        version = reader.query(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0])
        if version != SCHEMA_VERSION:
            raise DomainError(
                Reason.DATABASE_INCOMPATIBLE,
                "This is no database of this version.",
                metadata={"found": str(version), "known": str(SCHEMA_VERSION)},
            )
        rows = reader.query(_integrity)
    except (UnreadableError, StoreError) as error:
        yield str(error)
        return
    yield from (row[0] for row in rows if row[0] != "ok")


def _integrity(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()


def _tails(
    reader: SqliteReader, blocks: list[Block], problems: list[str]
) -> Iterator[tuple[str, str, LogTail]]:
    """The logs of a file: from its table, else from the file of reserved offsets beside it."""
    known = {block.number: block for block in blocks}
    try:
        rows = reader.query(
            lambda connection: connection.execute(
                "SELECT number, tenant, name, epoch, reserved, oldest, newest, event_count, size_bytes,"
                " expired_until_ns FROM logs ORDER BY number"
            ).fetchall()
        )
    except (UnreadableError, StoreError):
        problems.append("The table of logs cannot be read.")
        rows = [_guessed(reader, block) for block in blocks]
    for number, tenant, name, epoch, reserved, *extent in rows:
        block = known.get(number)
        if block is not None and block.epoch == epoch:
            reserved = max(reserved, block.reserved)  # noqa: PLW2901 the later of the two
        yield (
            tenant,
            name,
            _tail(reader, Block(number, tenant, name, epoch, reserved), Extent(*extent), problems),
        )


def _guessed(reader: SqliteReader, block: Block) -> tuple[int | str, ...]:
    """A row of the table of logs out of what else is known."""
    try:
        first = reader.first_record(block.number, 0, LAST_OFFSET)
        newest = reader.query(
            lambda connection: connection.execute(
                "SELECT max(position) FROM records WHERE position > ? AND position <= ?",
                (base(block.number), base(block.number) + LAST_OFFSET),
            ).fetchone()[0]
        )
    except UnreadableError:
        return (*_head(block), 0, block.reserved, 0, 0, 0)
    if first is None:
        return (*_head(block), 0, 0, 0, 0, 0)
    return (*_head(block), first.offset - 1, newest - base(block.number), 0, 0, 0)


def _head(block: Block) -> tuple[int | str, ...]:
    return block.number, block.tenant, block.name, block.epoch, block.reserved


def _tail(reader: SqliteReader, block: Block, extent: Extent, problems: list[str]) -> LogTail:
    try:
        rows = reader.query(
            lambda connection: connection.execute(
                "SELECT after, until, reason, missed_count FROM holes WHERE log = ? ORDER BY after",
                (block.number,),
            ).fetchall()
        )
        holes = [Hole(after, until, GapReason[reason], count) for after, until, reason, count in rows]
    except (UnreadableError, StoreError, KeyError, TypeError):
        problems.append("The table of holes cannot be read.")
        holes = []
    return LogTail(
        number=block.number,
        log=log_id(block.tenant, block.name),
        epoch=block.epoch,
        newest=extent.newest,
        reserved=max(block.reserved, extent.newest),
        holes=tuple(holes),
        extent=extent,
        oldest=extent.oldest,
    )


def _report(reader: SqliteReader, tenant: str, name: str, tail: LogTail) -> LogReport:
    position, event_count, size_bytes = tail.oldest, 0, 0
    found: list[Hole] = []
    while position < tail.newest:
        asked = Stretch(position, tail.newest, _PAGE.limit, _PAGE.max_bytes)
        page = read_page(reader, tail, len, asked)
        for item in page.items:
            if isinstance(item, Entry):
                event_count += 1
                size_bytes += int(str(item.key))
            else:
                found.append(item)
        position = page.end
    recorded = {hole.until for hole in tail.holes}
    corrupt = _joined([hole for hole in found if hole.until not in recorded])
    return LogReport(
        tenant=tenant,
        name=name,
        number=tail.number,
        epoch=tail.epoch,
        oldest=tail.oldest,
        newest=tail.newest,
        reserved=tail.reserved,
        event_count=event_count,
        size_bytes=size_bytes,
        corrupt_count=sum(hole.last - hole.first + 1 for hole in corrupt),
        corrupt=corrupt,
        holes=tuple(
            OffsetRange(hole.after + 1, hole.until, hole.reason.name)
            for hole in tail.holes
            if hole.until > tail.oldest
        ),
    )


def _joined(holes: list[Hole]) -> tuple[OffsetRange, ...]:
    """Neighbours as one range."""
    joined: list[OffsetRange] = []
    for hole in holes:
        if joined and joined[-1].last == hole.after:
            joined[-1] = OffsetRange(joined[-1].first, hole.until, hole.reason.name)
        else:
            joined.append(OffsetRange(hole.after + 1, hole.until, hole.reason.name))
    return tuple(joined)
