"""Looking names up and telling types apart takes time: it happens beside the event loop, never on it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from rendering.lines import line, regions
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.catalogues import CardCatalogues
from vidence_server.extraction.domain.events import ExtractionComplete, ExtractionEvent
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.extraction.profile_readers import ProfileReader, ProfileReaders
from vidence_server.extraction.recording import NoRecorder
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.extraction.types.decklist.catalogue import Card, CardCatalogue, Match
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.text import TextLine, TextRegion

DECK = [
    "Deck",
    "4 Lightning Bolt",
    "2 Vesna Tide Warden",
    "1 Grim Tutor",
    "20 Mountain",
    "Sideboard",
    "3 Duress",
]


class SeenThreads(CardCatalogue):
    """A catalogue that remembers who asks."""

    def __init__(self) -> None:
        super().__init__([Card("Lightning Bolt"), Card("Grim Tutor"), Card("Mountain"), Card("Duress")])
        self.threads: set[int] = set()

    def find(self, text: str, *, cut_off: bool = False, limit: int = 3) -> tuple[Match, ...]:
        self.threads.add(threading.get_ident())
        return super().find(text, cut_off=cut_off, limit=limit)


class OneCatalogue(CardCatalogues):
    def __init__(self, catalogue: CardCatalogue) -> None:
        super().__init__({})
        self._only = catalogue

    async def get(self, name: str = "") -> CardCatalogue:
        return self._only


class WhitePaper:
    """Decodes everything to the same page."""

    def decode(self, content: bytes, *, pdf_page: int = 1) -> Image:
        return Image(np.full((900, 700, 3), 255, np.uint8), "image/png", "0" * 64)


class ReadLines:
    """Finds and reads the lines it was given."""

    def __init__(self, lines: Sequence[TextLine]) -> None:
        self._lines = lines

    async def detect(self, image: Image, **_: Any) -> tuple[TextRegion, ...]:
        return tuple(regions(self._lines))

    def lines(self, image: Image, found: Sequence[TextRegion], **_: Any) -> PageLines:
        async def read(index: int) -> TextLine:
            return self._lines[index]

        return PageLines(read, ahead=2)


async def reading(document_type: str, catalogue: CardCatalogue) -> list[ExtractionEvent]:
    clock = SystemClock()
    lines = [line(text, index) for index, text in enumerate(DECK)]
    async with Engine({}, EngineSettings(workers=1), clock) as engine:
        service = ExtractionService(
            engine=engine,
            decoder=WhitePaper(),  # type: ignore[arg-type]  # a stand-in of the same shape
            profiles=ProfileReaders({"only": ProfileReader(ReadLines(lines), Maker("1", {}, {}))}, "only"),  # type: ignore[arg-type]  # see above
            recorder=NoRecorder(),
            catalogues=OneCatalogue(catalogue),
            clock=clock,
            ids=IdFactory(clock),
        )
        async with aclosing(service.extract(ExtractionRequest(b"", document_type))) as events:
            return [event async for event in events]


@pytest.mark.requirement("R-ST6", "R-EX5")
async def test_names_are_looked_up_off_the_event_loop() -> None:
    catalogue = SeenThreads()
    events = await reading("decklist", catalogue)
    assert isinstance(events[-1], ExtractionComplete)
    assert catalogue.threads
    assert threading.get_ident() not in catalogue.threads


@pytest.mark.requirement("R-ST6", "R-EX2")
async def test_the_type_is_told_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    decklist = __import__("vidence_server.extraction.types.detect", fromlist=["TypeDetector"]).TypeDetector
    feed = decklist.feed

    def watched(self: Any, read: TextLine) -> Any:
        threads.add(threading.get_ident())
        return feed(self, read)

    monkeypatch.setattr(decklist, "feed", watched)
    events = await reading("", SeenThreads())
    assert isinstance(events[-1], ExtractionComplete)
    assert threads
    assert threading.get_ident() not in threads
