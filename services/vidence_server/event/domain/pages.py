"""Pages of a listing, and the tokens that lead from one to the next."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass, field

from vidence_server.core.errors import DomainError, Reason
from vidence_server.event.domain.event import EventHeader
from vidence_server.event.domain.filters import EventFilter

DEFAULT_PAGE_SIZE = 50
_TOKEN = struct.Struct(">Iq8s")
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What is listed: the same for all pages of a listing."""

    filter: EventFilter = field(default_factory=EventFilter)
    text: str = ""
    """Contained in type, source, subject or id, whatever its case. Empty: all."""
    since_ns: int | None = None
    """Accepted at or after, Unix ns."""
    until_ns: int | None = None
    """Accepted before, Unix ns."""

    def matches(self, header: EventHeader) -> bool:
        """Whether the event is listed, its time apart."""
        return self.filter.matches(header) and (not self.text or contains(header, self.text))


def contains(header: EventHeader, text: str) -> bool:
    """Whether type, source, subject or id contain a text, both in lower case."""
    wanted = text.lower()
    return any(wanted in place.lower() for place in (header.type, header.source, header.subject, header.id))


@dataclass(frozen=True, slots=True)
class PageToken:
    """Where a listing goes on.

    Pages go from the newest offset down, so an offset is all it takes: what is published later has higher
    ones.
    """

    epoch: int
    """Which life of the log."""
    before: int
    """Offset, exclusive: the next page holds only lower ones."""

    def encode(self, log: int, query: EventQuery) -> str:
        """The text for the client; holds for this log and this query only."""
        packed = _TOKEN.pack(self.epoch, self.before, _binding(log, self.epoch, self.before, query))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, log: int, query: EventQuery) -> PageToken:
        """Reads a token; raises `DomainError`, PAGE_TOKEN_INVALID."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            epoch, before, binding = _TOKEN.unpack(packed)
        except (binascii.Error, struct.error, ValueError):
            raise _invalid() from None
        if binding != _binding(log, epoch, before, query):
            raise _invalid()
        return cls(epoch, before)


def _binding(log: int, epoch: int, before: int, query: EventQuery) -> bytes:
    wanted = query.filter
    parts = (
        *(repr(part) for part in (log, epoch, before, query.text, query.since_ns, query.until_ns)),
        repr((wanted.types, wanted.sources, wanted.subject_pattern, wanted.attributes)),
        str(wanted.minimum_severity),
    )
    return hashlib.blake2b(_SEPARATOR.join(parts).encode(), digest_size=8).digest()


def _invalid() -> DomainError:
    return DomainError(
        Reason.PAGE_TOKEN_INVALID, "This page token was not given by this server for this listing."
    )
