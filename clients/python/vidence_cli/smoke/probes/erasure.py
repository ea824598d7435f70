"""Probes of the erasure service: counts of somebody whom nobody knows. Nothing is erased, nothing kept."""

from __future__ import annotations

from vidence_cli.smoke.probe import Json, Kept, Probe

_SERVICE = "vidence.erasure.v1.ErasureService"


def nobody(kept: Kept) -> Json:
    """A request for a subject that there is not, which only counts."""
    return {"subject_id": f"smoke-{kept.run}", "dry_run": True}


PROBES = (
    Probe(f"{_SERVICE}/PurgeSubject", nobody),
    Probe(
        f"{_SERVICE}/GetPurge",
        lambda kept: {"subject_id": f"smoke-{kept.run}"},
        refusal="PURGE_NOT_FOUND",
    ),
)
