"""Probes of the face service. The picture shows nobody: the models look, and say so."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.probe import Kept, Probe, Unexpected

_SERVICE = "vidence.face.v1.FaceService"


def _nobody(_kept: Kept, answer: Any) -> None:
    if answer.faces:
        raise Unexpected("a face was found where there is none")


PROBES = (
    Probe(f"{_SERVICE}/ListThresholds"),
    Probe(f"{_SERVICE}/DetectFaces", lambda kept: {"content": kept.picture}, keep=_nobody),
    Probe(f"{_SERVICE}/AssessQuality", lambda kept: {"content": kept.picture}, refusal="NO_FACE"),
    Probe(
        f"{_SERVICE}/CompareFaces",
        lambda kept: {"reference": kept.picture, "probe": kept.picture},
        refusal="NO_FACE",
    ),
    Probe(f"{_SERVICE}/CheckLiveness", lambda kept: {"frames": [kept.picture]}, refusal="NO_FACE"),
    Probe(f"{_SERVICE}/EmbedFaces", lambda kept: {"content": kept.picture}, keep=_nobody),
)
