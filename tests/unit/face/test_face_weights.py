"""Weights of the operator's own: nothing that was measured with others is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vidence_server.face import convert
from vidence_server.face.app import load_thresholds
from vidence_server.face.domain.results import FaceChoice
from vidence_server.face.service import FaceService
from vidence_server.face.settings import FaceSettings
from vidence_server.vision.faces.embedding import template
from vidence_server.vision.faces.face import Box, Face, HeadPose, Landmarks
from vidence_server.vision.faces.profile import EMBEDDER
from vidence_server.vision.faces.quality.measure import Quality
from vidence_server.vision.geometry import Point

pytestmark = pytest.mark.requirement("R-FA1")

FACE = Face(
    Box(10, 10, 60, 80),
    Landmarks(Point(25, 40), Point(55, 40), Point(40, 55), Point(30, 70), Point(50, 70)),
    0.9,
)


class OneFace:
    """Sees one face in every picture; its template is the picture's first bytes."""

    def __init__(self, version: str) -> None:
        self.version = version

    async def scene(self, content: bytes, field: str, deadline: object) -> Any:
        from vidence_server.face.looking import Scene

        self.content = content
        return Scene(field, np.zeros((100, 100, 3), np.uint8), (FACE,))

    async def embedded(self, scene: object, faces: list[Face], deadline: object) -> Any:
        from vidence_server.face.domain.results import EmbeddedFace, SeenFace

        vector = np.frombuffer(self.content, np.uint8).astype(np.float32)
        seen = SeenFace(FACE, HeadPose(0, 0, 0))
        return (EmbeddedFace(seen, template(vector, EMBEDDER, self.version), Quality(())),)


def service(version: str, settings: FaceSettings | None = None) -> FaceService:
    looker: Any = OneFace(version)
    judge: Any = None
    return FaceService(
        looker=looker,
        judge=judge,
        thresholds=load_thresholds(),
        settings=settings or FaceSettings(),
        embedder=(EMBEDDER, version),
        liveness_version="0" * 12,
    )


async def test_the_registered_weights_come_with_their_rates() -> None:
    known = service(load_thresholds().version)
    compared = await known.compare(b"\x01\x02", b"\x01\x02")
    assert compared.similarity == pytest.approx(1)
    assert compared.rates is not None
    assert len(convert.to_thresholds(known).rates) == len(load_thresholds().rates)


async def test_other_weights_come_without_rates_and_say_so() -> None:
    unknown = service("0" * 12)
    compared = await unknown.compare(b"\x01\x02", b"\x02\x01", reference_choice=FaceChoice.LARGEST)
    assert compared.rates is None
    assert not convert.to_comparison(compared).HasField("rates")
    told = convert.to_thresholds(unknown)
    assert (len(told.rates), told.data, len(told.limits)) == (0, "", 1)


async def test_a_threshold_of_the_settings_holds_until_a_caller_names_one() -> None:
    strict = service(load_thresholds().version, FaceSettings(match_threshold=0.99))
    assert (await strict.compare(b"\x01\x02", b"\x02\x01")).threshold == 0.99
    assert (await strict.compare(b"\x01\x02", b"\x02\x01", threshold=0.1)).threshold == 0.1
