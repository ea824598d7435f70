"""Repairing a file of logs: every record that can be read goes into a fresh file, what cannot is recorded."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.file_lock import FileLock
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.block_file import sync_folder
from vidence_server.streams.durable.failures import storage_error
from vidence_server.streams.durable.inspection import LogReport, VerifyReport, hole_of, inspect
from vidence_server.streams.durable.paging import missing_ranges, open_ranges, readable
from vidence_server.streams.durable.sqlite_reader import SqliteReader, base
from vidence_server.streams.durable.sqlite_store import RecordIndex, SqliteStore
from vidence_server.streams.durable.store import (
    Extent,
    IdentityTakenError,
    Record,
    StoredLog,
    StoreError,
    UnreadableError,
)
from vidence_server.streams.entry import GapReason, Hole

_STRETCH = 1024


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was done."""

    path: str
    found: VerifyReport
    """What was there before."""
    repaired: bool
    """False: it was sound, and nothing was done."""
    kept_as: str | None
    """The damaged file, with its `-wal` file if it had one."""
    saved_count: int
    """Events in the repaired file."""
    lost_count: int
    """Events that could not be read; subscribers are told by gaps, CORRUPT."""
    identities_lost: int
    """Saved events that can no longer be recognised when they are published again."""
    sequences_lost: bool
    """Publishers that number their events have to begin anew."""


def repair(
    path: Path,
    *,
    index: RecordIndex | None = None,
    key_of: Callable[[bytes], object] = len,
    clock: Clock | None = None,
) -> RepairReport:
    """Salvages a file that no server uses; the damaged one is kept as `<file>.corrupt-<time>`. Blocks.

    Logs keep their numbers, epochs and offsets: cursors stay good.

    Args:
        path: The file.
        index: The service's own tables; made anew from the records.
        key_of: Gives the key of a body, for the index.
        clock: For the name of the damaged file; None: the machine's.

    Raises:
        DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, STORAGE_FULL, STORAGE_FAILED.
        OSError: There is no such file, or files cannot be renamed.
    """
    path.stat()
    with FileLock(path):
        found = inspect(path)
        if found.sound:
            saved = sum(log.event_count for log in found.logs)
            return _nothing_done(path, found, saved)
        fresh = path.with_name(f"{path.name}.repaired")
        _remove(fresh)
        try:
            copy = _Copy(path, fresh, index, key_of)
            copy.run(found)
        except StoreError as error:
            raise storage_error(error) from error
        kept_as = _exchange(path, fresh, (clock or SystemClock()).now().strftime("%Y%m%dT%H%M%SZ"))
    return RepairReport(
        path=str(path),
        found=found,
        repaired=True,
        kept_as=str(kept_as),
        saved_count=copy.saved,
        lost_count=copy.lost,
        identities_lost=copy.identities_lost,
        sequences_lost=copy.sequences_lost,
    )


def _nothing_done(path: Path, found: VerifyReport, saved: int) -> RepairReport:
    return RepairReport(
        path=str(path),
        found=found,
        repaired=False,
        kept_as=None,
        saved_count=saved,
        lost_count=0,
        identities_lost=0,
        sequences_lost=False,
    )


class _Copy:
    """From the damaged file to the fresh one."""

    def __init__(
        self, damaged: Path, fresh: Path, index: RecordIndex | None, key_of: Callable[[bytes], object]
    ) -> None:
        self.saved = 0
        self.lost = 0
        self.identities_lost = 0
        self.sequences_lost = False
        self._damaged = damaged
        self._fresh = fresh
        self._index = index
        self._key_of = key_of

    def run(self, found: VerifyReport) -> None:
        """Copies all logs; the fresh file is synced when this returns."""
        self._from = SqliteReader(self._damaged)
        try:
            self._to = SqliteStore(self._fresh, self._index)
            try:
                for log in found.logs:
                    self._copy(log)
            finally:
                self._to.close()
        finally:
            self._from.close()

    def _copy(self, log: LogReport) -> None:
        holes = sorted(map(hole_of, log.holes), key=lambda hole: hole.after)
        extent = Extent(oldest=log.oldest, newest=log.newest, expired_until_ns=self._expired_until_ns(log))
        self._to.restore_log(
            log.tenant, log.name, StoredLog(log.number, log.epoch, extent, log.reserved, tuple(holes))
        )
        for after, until in open_ranges(holes, log.oldest, log.newest):
            for start in range(after, until, _STRETCH):
                extent = self._copy_stretch(log.number, start, min(start + _STRETCH, until), extent)
        self._to.begin(Durability.SYNCED)
        self._to.set_extent(log.number, extent)
        self._copy_sequences(log.number)
        self._to.commit()

    def _copy_stretch(self, number: int, after: int, until: int, extent: Extent) -> Extent:
        found = readable(self._from, number, after, until)
        identities = self._identities(number, after, until) if found else {}
        records = [
            Record(offset, time_ns, body, identities.get(offset), self._key_of(body))
            for offset, time_ns, body, _ in found
        ]
        self._to.begin(Durability.WRITTEN)
        self._insert(number, records)
        for start, end in missing_ranges(found, after, until):
            self._to.add_hole(number, Hole(start, end, GapReason.CORRUPT, end - start))
            self.lost += end - start
        self._to.commit()
        return replace(
            extent,
            event_count=extent.event_count + len(records),
            size_bytes=extent.size_bytes + sum(len(record.body) for record in records),
        )

    def _insert(self, number: int, records: list[Record]) -> None:
        if not records:
            return
        try:
            self._to.insert(number, records)
        except IdentityTakenError:
            # Damage made two of them alike: one at a time, the later one without.
            self._to.rollback()
            self._to.begin(Durability.WRITTEN)
            taken = self._to.identities(number, {record.identity for record in records if record.identity})
            self._to.insert(number, list(self._without(records, set(taken))))
        self.saved += len(records)

    def _without(self, records: list[Record], taken: set[str]) -> Iterator[Record]:
        for record in records:
            if record.identity in taken:
                self.identities_lost += 1
                yield record._replace(identity=None)
            else:
                yield record
                if record.identity is not None:
                    taken.add(record.identity)

    def _identities(self, number: int, after: int, until: int) -> dict[int, str]:
        bounds = (base(number) + after, base(number) + until)
        try:
            rows = self._from.query(lambda connection: _read_identities(connection, bounds))
        except UnreadableError:
            if until - after == 1:
                self.identities_lost += 1
                return {}
            middle = (after + until) // 2
            return self._identities(number, after, middle) | self._identities(number, middle, until)
        return {
            position - base(number): identity.decode(errors="replace")
            for position, identity in rows
            if isinstance(identity, bytes)
        }

    def _expired_until_ns(self, log: LogReport) -> int:
        try:
            row = self._from.query(
                lambda connection: connection.execute(
                    "SELECT expired_until_ns FROM logs WHERE number = ?", (log.number,)
                ).fetchone()
            )
        except (UnreadableError, StoreError):
            row = None
        return row[0] if row else 0

    def _copy_sequences(self, number: int) -> None:
        try:
            rows = self._from.query(
                lambda connection: connection.execute(
                    "SELECT publisher, sequence FROM publishers WHERE log = ?", (number,)
                ).fetchall()
            )
        except (UnreadableError, StoreError):
            self.sequences_lost = True
            return
        self._to.set_sequences(number, dict(rows))


def _read_identities(connection: sqlite3.Connection, bounds: tuple[int, int]) -> list[tuple[int, object]]:
    return connection.execute(
        "SELECT position, CAST(identity AS BLOB) FROM records WHERE position > ? AND position <= ?", bounds
    ).fetchall()


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-reserved", ".lock"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _exchange(path: Path, fresh: Path, time: str) -> Path:
    """Puts the fresh file in the place of the damaged one, which keeps a name at every moment."""
    kept = path.with_name(f"{path.name}.corrupt-{time}")
    kept.unlink(missing_ok=True)
    os.link(path, kept)
    # Not left behind: SQLite would take it for the fresh file's.
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        wal.replace(kept.with_name(f"{kept.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    fresh.replace(path)
    _remove(fresh)
    sync_folder(path.parent)
    return kept
