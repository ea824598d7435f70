"""The reading profiles that a service offers, each with its reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.vision.ocr.reader import TextReader


@dataclass(frozen=True, slots=True)
class ProfileReader:
    """A profile at work."""

    reader: TextReader
    maker: Maker
    """Its models and numbers, for provenance records."""


class ProfileReaders:
    """The profiles that a service offers."""

    def __init__(self, readers: Mapping[str, ProfileReader], default: str) -> None:
        """Readers by the name of their profile.

        Raises:
            DomainError: CONFIGURATION_INVALID, where `default` is none of them.
        """
        if default not in readers:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"the reading profile {default!r} is none of those offered"
            )
        self._readers = dict(readers)
        self._default = default

    @property
    def names(self) -> Sequence[str]:
        """Those offered."""
        return tuple(self._readers)

    def get(self, name: str) -> ProfileReader:
        """The reader of a profile; the empty name is the default's.

        Raises:
            DomainError: PROFILE_UNKNOWN, with those offered.
        """
        chosen = name or self._default
        if chosen not in self._readers:
            offered = ", ".join(self._readers)
            raise DomainError(
                Reason.PROFILE_UNKNOWN,
                f"no such reading profile; offered are {offered}",
                fields=(FieldViolation("options.profile", f"must be one of {offered}"),),
                metadata={"known": offered},
            )
        return self._readers[chosen]
