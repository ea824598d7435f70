"""What the writer knows of a log in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidence_server.streams.durable.encoder import EntryEncoder
from vidence_server.streams.durable.store import Extent
from vidence_server.streams.entry import Hole


@dataclass(slots=True)
class LogTail:
    """The end of a log, and its counts. Only the writer's thread changes it; others read attributes."""

    number: int
    log: int
    """The 32 bits of its cursors."""
    epoch: int
    newest: int
    """The last offset that has been given away."""
    reserved: int
    holes: tuple[Hole, ...]
    """All that are known, by offset, also such as are not stored yet."""
    extent: Extent
    """As committed."""
    oldest: int
    """Everything up to here has expired; is ahead of `extent` while it is being removed."""
    uncertain: bool = False
    """A commit failed, and `extent` may no longer be what is stored."""
    oldest_time_ns: int | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    """Last sequence of each publisher that was asked for: what is stored, and what will be."""
    appended: int = 0
    repeated: int = 0
    refused: int = 0
    failed: int = 0
    expired: int = 0
    expired_until_ns: int = field(init=False)
    """Time of the last record that has expired, Unix ns; is ahead of `extent` with `oldest`."""
    encoder: EntryEncoder = field(init=False)

    def __post_init__(self) -> None:
        self.expired_until_ns = self.extent.expired_until_ns
        self.encoder = EntryEncoder(self.log, self.epoch)
