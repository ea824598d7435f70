"""What a process sees of the disk: a store of records that fails as the disk is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from simulation.disk import Disk
from simulation.disk_image import (
    Change,
    Image,
    add_hole,
    insert,
    log_of,
    make_log,
    remove,
    reserve,
    set_extent,
)
from vidence_server.streams.append import Durability
from vidence_server.streams.durable.store import (
    Extent,
    IdentityTakenError,
    Record,
    RecordSize,
    StoredLog,
    StoredRecord,
    StoreError,
    UnreadableError,
)
from vidence_server.streams.entry import Hole


class DiskStore:
    """A `RecordStore` of one process on a disk; `step` hears the name of each operation before it is done."""

    def __init__(self, disk: Disk, step: Callable[[str], None]) -> None:
        self._disk = disk
        self._step = step
        self._changes: list[Change] | None = None
        self._working: Image = {}
        self._durability = Durability.WRITTEN

    def open_log(self, tenant: str, name: str, *, epoch: int) -> StoredLog:
        """As `RecordStore`."""
        self._step("open_log")
        key = (tenant, name)
        if key not in self._disk.image:
            number = len(self._disk.image) + 1
            self._disk.write([lambda image: make_log(image, key, number, epoch)], synced=True)
        log = self._disk.image[key]
        return StoredLog(
            log.number, log.epoch, log.extent, max(log.reserved, log.extent.newest), tuple(log.holes)
        )

    def reserve(self, number: int, until: int) -> None:
        """As `RecordStore`."""
        self._step("reserve")
        if self._disk.faults.full or self._disk.happens(self._disk.faults.commit_fails):
            raise StoreError("no reservation", full=self._disk.faults.full)
        self._disk.write([lambda image: reserve(image, number, until)], synced=True)
        self._step("reserved")

    def begin(self, durability: Durability) -> None:
        """As `RecordStore`."""
        self._step("begin")
        self._durability = durability
        if self._changes is not None:
            raise AssertionError("a transaction within a transaction")
        self._changes = []
        self._working = {key: log.copy() for key, log in self._disk.image.items()}

    def insert(self, number: int, records: Sequence[Record]) -> None:
        """As `RecordStore`."""
        self._step("insert")
        if self._disk.happens(self._disk.faults.insert_fails):
            raise StoreError("the insert failed")
        kept = tuple(records)
        taken = log_of(self._working, number).identities
        identities = [record.identity for record in kept if record.identity is not None]
        if len(set(identities)) < len(identities) or not taken.keys().isdisjoint(identities):
            raise IdentityTakenError
        self._change(lambda image: insert(image, number, kept))

    def identities(self, number: int, identities: Collection[str]) -> dict[str, int]:
        """As `RecordStore`."""
        self._step("identities")
        known = log_of(self._view(), number).identities
        return {identity: known[identity] for identity in identities if identity in known}

    def sequence(self, number: int, publisher: str) -> int:
        """As `RecordStore`."""
        self._step("sequence")
        return log_of(self._view(), number).sequences.get(publisher, 0)

    def set_sequences(self, number: int, sequences: Mapping[str, int]) -> None:
        """As `RecordStore`."""
        self._step("set_sequences")
        changed = dict(sequences)
        self._change(lambda image: log_of(image, number).sequences.update(changed))

    def add_hole(self, number: int, hole: Hole) -> None:
        """As `RecordStore`."""
        self._step("add_hole")
        self._change(lambda image: add_hole(image, number, hole))

    def set_extent(self, number: int, extent: Extent) -> None:
        """As `RecordStore`."""
        self._step("set_extent")
        self._change(lambda image: set_extent(image, number, extent))

    def extent(self, number: int) -> Extent:
        """As `RecordStore`."""
        self._step("extent")
        return log_of(self._view(), number).extent

    def oldest_records(self, number: int, after: int, limit: int) -> Sequence[RecordSize]:
        """As `RecordStore`."""
        self._step("oldest_records")
        records = log_of(self._view(), number).records
        offsets = sorted(offset for offset in records if offset > after)[:limit]
        return [RecordSize(o, records[o].time_ns, len(records[o].body)) for o in offsets]

    def remove(self, number: int, until: int) -> None:
        """As `RecordStore`."""
        self._step("remove")
        self._disk.expired_until = max(self._disk.expired_until, until)
        self._change(lambda image: remove(image, number, until))

    def commit(self) -> None:
        """As `RecordStore`."""
        self._step("commit")
        if self._changes is None:
            raise AssertionError("a commit without a transaction")
        faults = self._disk.faults
        grows = any(
            len(log.records) > len(self._disk.image[key].records) for key, log in self._working.items()
        )
        if faults.full and grows:
            raise StoreError("the disk is full", full=True)
        if self._disk.happens(faults.commit_fails):
            raise StoreError("the commit failed")
        changes, self._changes = self._changes, None
        for log in self._working.values():
            self._disk.remember(log.records.values())
        self._disk.write(changes, synced=self._durability is Durability.SYNCED)
        self._disk.note(f"disk: committed {self._durability.name}")
        if self._disk.happens(faults.outcome_unknown):
            self._disk.note("disk: the outcome is not told")
            raise StoreError("the outcome of the commit is unknown")
        self._step("committed")

    def rollback(self) -> None:
        """As `RecordStore`."""
        self._changes = None

    def close(self) -> None:
        """As `RecordStore`."""
        self._changes = None

    def records(self, number: int, after: int, until: int) -> Sequence[StoredRecord]:
        """As `RecordReader`."""
        self._step("records")
        if self._disk.happens(self._disk.faults.read_fails):
            raise StoreError("the reading failed")
        records = log_of(self._disk.image, number).records
        offsets = sorted(offset for offset in records if after < offset <= until)
        if not self._disk.unreadable.isdisjoint(offsets):
            raise UnreadableError
        return [self._stored(records[offset]) for offset in offsets]

    def first_record(self, number: int, after: int, until: int) -> RecordSize | None:
        """As `RecordReader`."""
        self._step("first_record")
        records = log_of(self._disk.image, number).records
        offset = min((offset for offset in records if after < offset <= until), default=None)
        if offset is None:
            return None
        if offset in self._disk.unreadable:
            raise UnreadableError
        return RecordSize(offset, records[offset].time_ns, len(records[offset].body))

    def find(self, number: int, identity: str) -> int | None:
        """As `RecordReader`."""
        self._step("find")
        return log_of(self._disk.image, number).identities.get(identity)

    def _stored(self, record: Record) -> StoredRecord:
        intact = record.offset not in self._disk.corrupt
        body = record.body if intact else bytes([record.body[0] ^ 1]) + record.body[1:]
        return StoredRecord(record.offset, record.time_ns, body, intact)

    def _view(self) -> Image:
        return self._disk.image if self._changes is None else self._working

    def _change(self, change: Change) -> None:
        if self._changes is None:
            raise AssertionError("a change outside of a transaction")
        self._changes.append(change)
        change(self._working)
