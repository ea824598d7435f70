"""What whoever runs a session has to do after a step of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidence_server.capture.domain.events import SessionEvent
from vidence_server.core.errors import DomainError


@dataclass(slots=True)
class Effects:
    """Filled by one step, in the order in which things happen."""

    events: list[SessionEvent] = field(default_factory=list)
    """To be told, in this order."""
    keep: bool = False
    """The frame of this step is the best of the window: keep its picture."""
    forget: bool = False
    """The window is over without a capture: forget the kept picture."""
    capture: bool = False
    """Store the kept picture, then say so by `stored` or `not_stored`."""
    process: bool = False
    """Read and compare, then say so by `processed`."""
    ended: bool = False
    """The session is over."""
    persist: bool = False
    """Something changed that must survive a restart."""
    refusal: DomainError | None = None
    """What the caller asked for is not allowed."""
