"""Looking at a picture: where its lines are, how the page lies, and making it straight where it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from vidence_server.core.deadline import Deadline
from vidence_server.extraction.domain.events import Stage
from vidence_server.extraction.layered_lines import LayeredLines
from vidence_server.extraction.stopwatch import Stopwatch
from vidence_server.inference.engine import Engine, Priority
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.pages.direction import PROBES, Way, better_way, heads_down, probes, way_of
from vidence_server.vision.pages.lie import FLAT, PageLie, lie_of
from vidence_server.vision.pages.straight import Page, straightened
from vidence_server.vision.text import TextLine, TextRegion
from vidence_server.vision.text_layer import agrees, to_check

_CHECKED_LINES = 6
"""Lines of a file's text that are compared with what is drawn."""

OrderOf: TypeAlias = Callable[[Sequence[TextRegion], int, int], Sequence[int]]
"""Indexes of regions in the order in which they will be wanted, given a picture's width and height in px."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A straight page and its lines; usable while it is looked at."""

    page: Page
    regions: Sequence[TextRegion]
    lines: LayeredLines


class PageLooker:
    """Looks at the pages of one reading. Nothing is read twice on a page that lies straight."""

    def __init__(
        self,
        engine: Engine,
        reader: TextReader,
        stopwatch: Stopwatch,
        *,
        priority: Priority,
        deadline: Deadline | None,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._stopwatch = stopwatch
        self._priority = priority
        self._deadline = deadline

    @asynccontextmanager
    async def look(self, page: Page, size: DetectorSize | None, order_of: OrderOf) -> AsyncIterator[Look]:
        """Finds the lines; where the page does not lie straight, makes it so and finds them again.

        Leaving the context stops what is still being read.

        Args:
            page: what is looked at; once known to be straight it is not asked again.
            size: how large the detector is to see it.
            order_of: in which order lines are wanted: the first of them tell which way is up.
        """
        regions = await self._detect(page.image, size)
        async with self._lines(page.image, regions) as lines:
            lie, upside_down = await self._lie(page, regions, lines, order_of)
            if lie.straight and not upside_down:
                yield Look(page.known(), regions, await self._with_layer(page, regions, lines))
                return
        with self._stopwatch.step(Stage.DETECT):
            page = await self._engine.call(
                partial(straightened, page.image, regions, lie, heads_down=upside_down),
                step="page-straighten",
                priority=self._priority,
                deadline=self._deadline,
            )
        regions = await self._detect(page.image, size)
        async with self._lines(page.image, regions) as lines:
            yield Look(page, regions, LayeredLines(lines, {}))

    async def _with_layer(self, page: Page, regions: Sequence[TextRegion], lines: PageLines) -> LayeredLines:
        """With the text that the file has, where some of it is what is drawn."""
        layer = page.image.layer
        if layer is None:
            return LayeredLines(lines, {})
        told = await self._engine.call(
            partial(layer.lines, regions),
            step="page-text",
            priority=self._priority,
            deadline=self._deadline,
        )
        asked = to_check(told, lines.known, _CHECKED_LINES)
        lines.want(asked)
        drawn = [await self._line(lines, index) for index in asked]
        agree = agrees([told[index].text for index in asked], [line.text for line in drawn])
        return LayeredLines(lines, told if agree else {})

    async def _lie(
        self, page: Page, regions: Sequence[TextRegion], lines: PageLines, order_of: OrderOf
    ) -> tuple[PageLie, bool]:
        """How the page lies, and whether it then stands on its head."""
        image = page.image
        if page.straight:
            return FLAT, False
        lie, order = await self._engine.call(
            lambda: (
                lie_of(regions, image.width_px, image.height_px),
                order_of(regions, image.width_px, image.height_px),
            ),
            step="page-lie",
            priority=self._priority,
            deadline=self._deadline,
        )
        lines.want(order)
        return lie, await self._stands_on_head(image, regions, lines, probes(regions, order))

    async def _stands_on_head(
        self, image: Image, regions: Sequence[TextRegion], lines: PageLines, asked: Sequence[int]
    ) -> bool:
        """By the first lines that will be read anyway; read from their other ends too only in doubt."""
        upright = [await self._line(lines, index) for index in asked[:PROBES]]
        way = way_of(upright)
        if way is not Way.UNSURE or not asked:
            return way is Way.HEADS_DOWN
        turned = [TextRegion(heads_down(regions[index].quad), regions[index].score) for index in asked]
        async with self._lines(image, turned) as other:
            way = Way.UNSURE
            for count in (PROBES, len(asked)):
                places = range(len(asked[:count]))
                other.want(places)
                upright = [await self._line(lines, asked[place]) for place in places]
                opposite = [await self._line(other, place) for place in places]
                way = better_way(upright, opposite)
                if way is not Way.UNSURE:
                    break
        return way is Way.HEADS_DOWN

    async def _line(self, lines: PageLines, index: int) -> TextLine:
        with self._stopwatch.step(Stage.RECOGNISE):
            return await lines.line(index)

    async def _detect(self, image: Image, size: DetectorSize | None) -> tuple[TextRegion, ...]:
        with self._stopwatch.step(Stage.DETECT):
            return await self._reader.detect(
                image, size=size, priority=self._priority, deadline=self._deadline
            )

    def _lines(self, image: Image, regions: Sequence[TextRegion]) -> PageLines:
        return self._reader.lines(image, regions, priority=self._priority, deadline=self._deadline)
