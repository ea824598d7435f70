"""Named ways to read: how much time a page may take for how few mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.reader import TextReader

ACCURATE = ReadingProfile(name="accurate")
"""The larger models for every line, in every script they know."""
BALANCED = ReadingProfile(
    name="balanced",
    detector_model="ocr-detector-tiny",
    draft_model="ocr-recogniser-tiny",
    recogniser_model="ocr-recogniser-latin",
)
"""Small models first; a line of which they are not sure is read again by the larger one. Latin script."""
FAST = ReadingProfile(name="fast", detector_model="ocr-detector-tiny", recogniser_model="ocr-recogniser-tiny")
"""The small models alone. Latin script."""

INT8 = replace(BALANCED, name="balanced-int8", recogniser_model="ocr-recogniser-int8")
"""`balanced` with the larger recogniser in 8-bit integers, for processors with VNNI or AMX."""

PROFILES: Mapping[str, ReadingProfile] = {known.name: known for known in (FAST, BALANCED, INT8, ACCURATE)}
"""Every profile by its name."""
OFFERED = (FAST.name, BALANCED.name, ACCURATE.name)
"""Those that a service offers by default."""


def models_of(names: Iterable[str]) -> tuple[str, ...]:
    """Registry names of the models that these profiles run, each once.

    Raises:
        DomainError: CONFIGURATION_INVALID, where a name is no profile's.
    """
    models: dict[str, None] = {}
    for name in names:
        profile = _known(name)
        for model in (profile.detector_model, profile.draft_model, profile.recogniser_model):
            if model:
                models[model] = None
    return tuple(models)


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


def _known(name: str) -> ReadingProfile:
    if name not in PROFILES:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"no reading profile is called {name!r}: {', '.join(PROFILES)}"
        )
    return PROFILES[name]
