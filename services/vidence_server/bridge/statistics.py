"""What the bridge counts."""

from __future__ import annotations

from dataclasses import dataclass

COUNTERS = ("streams", "sockets", "refused", "sent", "stalled", "silent", "uploads")
"""Those that only ever grow."""


@dataclass(slots=True)
class BridgeStatistics:
    """The numbers of a process, since its start."""

    open_streams: int = 0
    """Streams over HTTP that are open."""
    open_sockets: int = 0
    """WebSockets that are open."""
    streams: int = 0
    """Streams that were opened."""
    sockets: int = 0
    """WebSockets that were opened."""
    refused: int = 0
    """WebSockets that were refused: by limit or origin."""
    sent: int = 0
    """Messages written to streams and sockets."""
    stalled: int = 0
    """Streams that were cut because their peer took nothing for too long."""
    silent: int = 0
    """WebSockets that were closed because their peer said nothing for too long."""
    uploads: int = 0
    """Bodies that were read as forms."""
