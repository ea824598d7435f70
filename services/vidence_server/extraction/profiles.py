"""Named ways to read: how much time a page may take for how few mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.ocr.profile import ReadingProfile

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


def _known(name: str) -> ReadingProfile:
    if name not in PROFILES:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"no reading profile is called {name!r}: {', '.join(PROFILES)}"
        )
    return PROFILES[name]
