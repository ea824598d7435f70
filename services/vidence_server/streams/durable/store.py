"""What the group commit needs of storage; SQLite is one answer, the simulated disk of the tests another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vidence_server.streams.append import Durability
from vidence_server.streams.entry import Hole


class StoreError(Exception):
    """Storage did not do what it was asked. Holds no contents of records.

    Args:
        message: What happened.
        full: There is no room.
        damaged: What is stored contradicts itself; it needs a repair.
    """

    def __init__(self, message: str, *, full: bool = False, damaged: bool = False) -> None:
        super().__init__(message)
        self.full = full
        self.damaged = damaged


class UnreadableError(Exception):
    """Something in the range that was asked for cannot be read at all; a smaller range may be readable."""


class IdentityTakenError(Exception):
    """One of the records has an identity that the log holds already, or may hold: look them up first."""


class Record(NamedTuple):
    """A draft that has its place. A tuple, because a hundred thousand are made per second."""

    offset: int
    time_ns: int
    body: bytes
    identity: str | None
    key: object


class StoredRecord(NamedTuple):
    """A record as it was read back; `intact`: its checksum holds."""

    offset: int
    time_ns: int
    body: bytes
    intact: bool


class RecordSize(NamedTuple):
    """What retention looks at."""

    offset: int
    time_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Extent:
    """What a log holds, as the last commit left it."""

    oldest: int = 0
    """Everything up to here, inclusive, has expired."""
    newest: int = 0
    """Offset of the last record or hole."""
    event_count: int = 0
    size_bytes: int = 0
    """Sum over the bodies."""
    expired_until_ns: int = 0
    """Time of the last record that has expired, Unix ns."""


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A log as it was found, or made, when it was opened."""

    number: int
    """Its name within this store, small and positive."""
    epoch: int
    extent: Extent
    reserved: int
    """Offsets up to here may have been used, also such as are no longer found; at least `extent.newest`."""
    holes: tuple[Hole, ...]


class RecordReader(Protocol):
    """Reading, from several threads at a time; sees what was committed."""

    def records(self, number: int, after: int, until: int) -> Sequence[StoredRecord]:
        """The records in (after, until], in order.

        Raises:
            UnreadableError: Not all of them can be read.
            StoreError: Storage failed.
        """
        ...

    def first_record(self, number: int, after: int, until: int) -> RecordSize | None:
        """The first record in (after, until]; raises as `records`."""
        ...

    def find(self, number: int, identity: str) -> int | None:
        """The offset of the record of an identity; raises as `records`."""
        ...


class RecordStore(RecordReader, Protocol):
    """Writing, from one thread. A transaction at a time; all methods raise `StoreError`.

    After an error the caller calls `rollback`. A commit that failed has kept all of its transaction or
    nothing; `extent` tells which.
    """

    def open_log(self, tenant: str, name: str, *, epoch: int) -> StoredLog:
        """Finds a log, or makes it with this epoch, synced. Outside of a transaction."""
        ...

    def reserve(self, number: int, until: int) -> None:
        """Remembers that offsets up to `until` may be used from now on. Outside of a transaction.

        It is synced when this returns, and survives the loss of any transaction that follows. It may also be
        lower than before: offsets that were not used are given back.
        """
        ...

    def begin(self, durability: Durability) -> None:
        """Starts a transaction that is to reach a durability; SYNCED: with all that were before it."""
        ...

    def insert(self, number: int, records: Sequence[Record]) -> None:
        """Adds records behind all others.

        Raises:
            IdentityTakenError: An identity is in the log already; the caller rolls the transaction back.
        """
        ...

    def identities(self, number: int, identities: Collection[str]) -> dict[str, int]:
        """Those of the identities that the log holds, with their offsets."""
        ...

    def sequence(self, number: int, publisher: str) -> int:
        """The last sequence of a publisher, 0 for an unknown one."""
        ...

    def set_sequences(self, number: int, sequences: Mapping[str, int]) -> None:
        """Remembers publishers' last sequences."""
        ...

    def add_hole(self, number: int, hole: Hole) -> None:
        """Remembers a hole; doing so again changes nothing."""
        ...

    def set_extent(self, number: int, extent: Extent) -> None:
        """Remembers what the log holds."""
        ...

    def extent(self, number: int) -> Extent:
        """What the log holds, within a transaction or without."""
        ...

    def oldest_records(self, number: int, after: int, limit: int) -> Sequence[RecordSize]:
        """The first records behind `after`, at most `limit`."""
        ...

    def remove(self, number: int, until: int) -> None:
        """Removes all records up to and including an offset; holes stay, they are few."""
        ...

    def commit(self) -> None:
        """Ends the transaction; it has its durability when this returns."""
        ...

    def rollback(self) -> None:
        """Takes the transaction back; does nothing where there is none."""
        ...

    def close(self) -> None:
        """Gives everything back."""
        ...
