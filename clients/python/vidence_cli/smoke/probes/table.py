"""All probes, by service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vidence_cli.smoke.probe import Probe
from vidence_cli.smoke.probes import batch, capture, erasure, event, extraction, face, library, review


@dataclass(frozen=True, slots=True)
class Tour:
    """The probes of one service, in order; those of `clean_up` take away what is left, however they ended."""

    probes: Sequence[Probe]
    clean_up: Sequence[Probe] = ()


TOURS: Mapping[str, Tour] = {
    "event": Tour(event.PROBES),
    "extraction": Tour(extraction.PROBES),
    "capture": Tour(capture.PROBES, capture.CLEAN_UP),
    "batch": Tour(batch.PROBES, batch.CLEAN_UP),
    "library": Tour(library.PROBES, library.CLEAN_UP),
    "face": Tour(face.PROBES),
    "review": Tour((*review.PROBES, *erasure.PROBES), review.CLEAN_UP),
}
"""By the names of `vidence serve`."""
