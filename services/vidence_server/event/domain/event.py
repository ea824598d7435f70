"""The part of an event that is looked at; the rest of it is bytes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from vidence_server.core.errors import DomainError

MAX_EVENT_BYTES = 64_000
"""Most bytes of an encoded event as its publisher sent it."""
NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
ID_PREFIX = "evt"
"""Of the ids that the server gives."""


class Severity(IntEnum):
    """How much attention an event deserves, rising; the numbers are those of `vidence.event.v1.Severity`."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5


class EventHeader(NamedTuple):
    """What filters and the index look at. A tuple, because a hundred thousand are made per second."""

    source: str
    id: str
    type: str
    subject: str
    severity: int
    """A `Severity`; never 0."""
    attributes: Mapping[str, str]


class IncomingEvent(NamedTuple):
    """An event that a publisher hands over."""

    header: EventHeader
    """The id is empty where the server is to give one."""
    sequence: int
    """The publisher's own count within its source, from 1; 0: it does not count."""
    body: bytes
    """Encoded, without cursor and emit time."""
    refusal: DomainError | None
    """Why it cannot be published, where it breaks a rule of its message."""


def identity_of(source: str, event_id: str) -> str:
    """The one text of a source and an id: the length in front keeps line breaks inside either apart."""
    return f"{len(source)}:{source}\n{event_id}"
