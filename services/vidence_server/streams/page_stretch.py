"""What of a page of the log makes the next message of a subscriber."""

from __future__ import annotations

from typing import NamedTuple

from vidence_server.streams.entry import Hole
from vidence_server.streams.log import LogPage
from vidence_server.streams.requests import Filter


class Stretch(NamedTuple):
    """The first entries of a page, or its first hole."""

    events: list[bytes]
    """Those that the filter wants, encoded."""
    until: int
    """Offset up to which the page was looked at."""
    hole: Hole | None = None
    """It comes next; then there are no events before it."""


def first_stretch(page: LogPage, after: int, wanted: Filter | None, most: int | None) -> Stretch:
    """The entries after an offset up to the page's first hole, or that hole.

    Args:
        page: Of the log; it may begin before `after`.
        after: Offset up to which the subscriber has what it wants.
        wanted: Its filter; None: everything.
        most: Events at most; None: as many as there are.
    """
    until = after
    events: list[bytes] = []
    for item in page.items:
        if isinstance(item, Hole):
            if until < item.after or events:
                break
            if item.until > after:
                return Stretch(events, until, item)
            continue
        if item.offset <= after:
            continue
        if wanted is None or wanted.matches(item.key):
            if len(events) == most:
                break
            events.append(item.encoded)
        until = item.offset
    else:
        until = page.end
    return Stretch(events, until)
