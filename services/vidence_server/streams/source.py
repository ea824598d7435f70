"""What a subscription needs of its broadcast, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vidence_server.streams.frames import Gap
from vidence_server.streams.log import LogBounds, LogPage
from vidence_server.streams.ring import Ring
from vidence_server.streams.turns import Turns

if TYPE_CHECKING:  # a subscription is given to its source
    from vidence_server.streams.subscription import Subscription


class Source(Protocol):
    """What a subscription needs of its broadcast."""

    @property
    def ring(self) -> Ring:
        """The newest entries."""
        ...

    @property
    def turns(self) -> Turns:
        """Who writes next."""
        ...

    def cursor_of(self, offset: int) -> str:
        """The cursor of an offset."""
        ...

    def bounds(self) -> LogBounds:
        """What the log holds."""
        ...

    def missed(self, after: int, until: int) -> int | None:
        """How many entries there were in (after, until]."""
        ...

    async def read(self, after: int, until: int) -> LogPage:
        """Items of the log."""
        ...

    def told_gap(self, gap: Gap) -> None:
        """Hears what a subscriber is told that it will not get."""
        ...

    def moved(self, subscription: Subscription) -> None:
        """Hears that a subscription that may hold its publisher back has moved on."""
        ...


@dataclass(slots=True)
class Progress:
    """What a subscription has done so far."""

    delivered: int = 0
    """Events whose message was taken by the transport."""
    heartbeats: int = 0
    dropped: int = 0
    """Events that it was told it will not get, as far as their number is known."""
