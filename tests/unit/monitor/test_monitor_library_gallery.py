"""People known by the faces of a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from structlog.testing import capture_logs

from fakes.inference import TurnableClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.monitor.library_gallery import LibraryGallery
from vidence_server.monitor.matching import MatchRule
from vidence_server.vision.faces.face import Template

pytestmark = pytest.mark.requirement("R-CA9", "R-LI6")
TEMPLATE = Template(np.array([0.6, 0.8], np.float32), "face-embedder", "17")


@dataclass
class ScriptedSearch:
    """Answers what it is told to, and notes what it was asked."""

    found: list[tuple[str, float]] = field(default_factory=list)
    error: DomainError | None = None
    asked: list[tuple[str, tuple[str, str], bytes, int]] = field(default_factory=list)

    async def check_library(self, library_id: str) -> None:
        raise AssertionError("a gallery does not check")

    async def search_faces(
        self, library_id: str, model: tuple[str, str], data: bytes, k: int
    ) -> Sequence[tuple[str, float]]:
        self.asked.append((library_id, model, data, k))
        if self.error is not None:
            raise self.error
        return self.found


def gallery(search: ScriptedSearch, clock: TurnableClock | None = None) -> LibraryGallery:
    return LibraryGallery(search, "staff", MatchRule(0.4, 0.05), clock=clock or TurnableClock())


async def test_the_nearest_subject_names_a_face_where_nobody_is_as_near() -> None:
    search = ScriptedSearch([("anna", 0.7), ("ben", 0.3)])
    found = await gallery(search).identify(TEMPLATE)
    assert found is not None
    assert (found.name, found.similarity) == ("anna", 0.7)
    assert search.asked == [("staff", ("face-embedder", "17"), TEMPLATE.vector.tobytes(), 2)]
    for nobody in ([], [("anna", 0.39)], [("anna", 0.7), ("ben", 0.66)]):
        assert await gallery(ScriptedSearch(nobody)).identify(TEMPLATE) is None
    (alone,) = [await gallery(ScriptedSearch([("anna", 1.0000001)])).identify(TEMPLATE)]
    assert alone is not None
    assert alone.similarity == 1.0


async def test_a_library_that_does_not_answer_names_nobody_and_is_asked_again_after_a_pause() -> None:
    clock = TurnableClock()
    search = ScriptedSearch([("anna", 0.7)], error=DomainError(Reason.NOT_READY, "away"))
    people = gallery(search, clock)
    with capture_logs() as logs:
        assert await people.identify(TEMPLATE) is None
        assert await people.identify(TEMPLATE) is None
        assert len(search.asked) == 1
        clock.advance(1.1)
        assert await people.identify(TEMPLATE) is None
    assert (len(search.asked), people.failures) == (2, 2)
    assert [entry["reason"] for entry in logs] == ["NOT_READY"]  # said once
    clock.advance(1.1)
    search.error = None
    assert await people.identify(TEMPLATE) is not None
