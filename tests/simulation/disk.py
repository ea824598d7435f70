"""A disk that keeps what was synced, may keep what was written, and fails as it is told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from simulation.disk_image import Change, Image, apply_all, raise_reserved
from vidence_server.streams.durable.store import Record


@dataclass(slots=True)
class DiskFaults:
    """How the disk behaves; changed while a history runs."""

    full: bool = False
    commit_fails: float = 0.0
    """Probability that a commit fails and keeps nothing."""
    outcome_unknown: float = 0.0
    """Probability that a commit fails and has kept everything."""
    insert_fails: float = 0.0
    read_fails: float = 0.0


@dataclass(frozen=True, slots=True)
class PastLife:
    """A log whose file was replaced."""

    epoch: int
    records: Mapping[int, Record]
    """All that were ever committed."""
    end: int
    """Offset up to which anything may have been told."""
    expired: bool
    """Whether retention removed anything of it, or was about to."""


class Disk:
    """What survives a process: all that was committed; of a power cut, all that was synced."""

    def __init__(self, rng: random.Random, note: Callable[[str], None]) -> None:
        self.rng = rng
        self.note = note
        self.faults = DiskFaults()
        self.image: Image = {}
        self.corrupt: set[int] = set()
        """Offsets whose record no longer has its checksum."""
        self.unreadable: set[int] = set()
        """Offsets whose page cannot be read at all."""
        self.ever: dict[int, Record] = {}
        """Every record that was ever committed, kept or not, of the present life of the log."""
        self.expired_until = 0
        """How far retention ever removed, or was about to, of the present life of the log."""
        self.forgotten: set[int] = set()
        """Offsets that an older copy does not have, which was put back."""
        self.past: list[PastLife] = []
        """Logs that lay here before, the oldest first."""
        self._changes: list[Change] = []
        self._synced = 0

    def write(self, changes: Sequence[Change], *, synced: bool) -> None:
        """Keeps the changes of a transaction, all of them."""
        if changes:
            self._changes.append(partial(apply_all, tuple(changes)))
        apply_all(changes, self.image)
        if synced:
            self._synced = len(self._changes)

    def remember(self, records: Iterable[Record]) -> None:
        """Keeps for the judges what was committed."""
        for record in records:
            earlier = self.ever.setdefault(record.offset, record)
            if earlier.identity != record.identity:
                raise AssertionError(f"offset {record.offset} was used twice")

    def cut_power(self) -> int:
        """Loses some of what was not synced: a tail of the transactions. Gives how many were lost."""
        kept = self.rng.randint(self._synced, len(self._changes))
        lost = len(self._changes) - kept
        del self._changes[kept:]
        self._synced = kept
        self.image = {}
        for change in self._changes:
            change(self.image)
        return lost

    def replace_file(self) -> None:
        """Takes the file away, and what lies beside it: the next process makes a new log."""
        for log in self.image.values():
            end = max(log.extent.newest, log.reserved)
            self.past.append(PastLife(log.epoch, self.ever, end, self.expired_until > 0))
        self.image, self.ever, self.expired_until = {}, {}, 0
        self.corrupt, self.unreadable, self.forgotten = set(), set(), set()
        self._changes, self._synced = [], 0

    def restore_copy(self, share: float) -> int:
        """Puts back a copy that has so much of all transactions. Gives how many are gone.

        The file beside it, which says what offsets may have been used, stays as it is.
        """
        kept = max(1, int(share * len(self._changes)))  # the first one made the log
        gone, self._changes[kept:] = len(self._changes) - kept, []
        reserved = {log.number: max(log.reserved, log.extent.newest) for log in self.image.values()}
        before = set(self.offsets())
        self._changes.append(partial(raise_reserved, reserved))
        self._synced = len(self._changes)
        self.image = {}
        for change in self._changes:
            change(self.image)
        self.forgotten |= before - set(self.offsets())
        return gone

    @property
    def expired_ever(self) -> bool:
        """Whether retention removed anything, or was about to, of any log that lay here."""
        return self.expired_until > 0 or any(life.expired for life in self.past)

    def lives(self) -> Iterator[tuple[int, Mapping[int, Record]]]:
        """The epoch of each log that ever lay here, and its records; the present one last."""
        for life in self.past:
            yield life.epoch, life.records
        for log in self.image.values():
            yield log.epoch, self.ever

    def synced_image(self) -> Image:
        """What a power cut would leave at least."""
        image: Image = {}
        for change in self._changes[: self._synced]:
            change(image)
        return image

    def offsets(self) -> list[int]:
        """Offsets of all records that are kept."""
        return sorted(offset for log in self.image.values() for offset in log.records)

    def happens(self, probability: float) -> bool:
        """Draws whether a fault strikes now."""
        return probability > 0 and self.rng.random() < probability
