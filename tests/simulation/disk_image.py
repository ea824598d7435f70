"""Logs as they lie on the simulated disk, and the changes that transactions make to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from vidence_server.streams.durable.store import Extent, Record
from vidence_server.streams.entry import Hole


@dataclass(slots=True)
class LogImage:
    """One log as it lies on the disk."""

    number: int
    epoch: int
    reserved: int = 0
    extent: Extent = field(default_factory=Extent)
    holes: list[Hole] = field(default_factory=list)
    records: dict[int, Record] = field(default_factory=dict)
    identities: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    def copy(self) -> LogImage:
        """A copy that can be changed alone."""
        return replace(
            self,
            holes=list(self.holes),
            records=dict(self.records),
            identities=dict(self.identities),
            sequences=dict(self.sequences),
        )


Image: TypeAlias = dict[tuple[str, str], LogImage]
Change: TypeAlias = Callable[[Image], None]


def apply_all(changes: Sequence[Change], image: Image) -> None:
    """Makes changes, one after another."""
    for change in changes:
        change(image)


def log_of(image: Image, number: int) -> LogImage:
    """The log with a number."""
    return next(log for log in image.values() if log.number == number)


def make_log(image: Image, key: tuple[str, str], number: int, epoch: int) -> None:
    """Adds an empty log."""
    image[key] = LogImage(number, epoch)


def reserve(image: Image, number: int, until: int) -> None:
    """Remembers that offsets may be used."""
    log_of(image, number).reserved = until


def raise_reserved(reserved: Mapping[int, int], image: Image) -> None:
    """Remembers, by the number of the log, that offsets may have been used at least so far."""
    for log in image.values():
        log.reserved = max(log.reserved, reserved.get(log.number, 0))


def set_extent(image: Image, number: int, extent: Extent) -> None:
    """Remembers what a log holds."""
    log_of(image, number).extent = extent


def insert(image: Image, number: int, records: Sequence[Record]) -> None:
    """Adds records."""
    log = log_of(image, number)
    for record in records:
        if record.offset in log.records:
            raise AssertionError(f"offset {record.offset} is used twice")
        log.records[record.offset] = record
        if record.identity is not None:
            log.identities[record.identity] = record.offset


def remove(image: Image, number: int, until: int) -> None:
    """Removes records up to an offset."""
    log = log_of(image, number)
    for offset in [offset for offset in log.records if offset <= until]:
        record = log.records.pop(offset)
        if record.identity is not None:
            log.identities.pop(record.identity, None)


def add_hole(image: Image, number: int, hole: Hole) -> None:
    """Adds a hole."""
    log = log_of(image, number)
    if hole not in log.holes:
        log.holes.append(hole)
