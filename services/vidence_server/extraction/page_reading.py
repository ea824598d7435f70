"""The lines of one picture on their way to fields: each is read once, and understood off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from vidence_server.extraction.domain.document import DocumentTypeGuess, ExtractedField, FieldSource
from vidence_server.extraction.domain.events import ExtractionProgress, FieldRead, Stage
from vidence_server.extraction.looking import Look
from vidence_server.extraction.stopwatch import Stopwatch
from vidence_server.extraction.types.detect import TypeDetector
from vidence_server.extraction.types.document_type import DocumentType, FieldReader
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.extraction.types.text import TEXT
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.text import TextLine


class PageReading:
    """The lines of one picture: each is read once, whoever asks first.

    What lines mean is worked out in a thread, one step of one picture at a time: a catalogue look-up may take
    a tenth of a second, and the loop serves everybody. A cancelled step runs on without anybody listening.
    """

    def __init__(self, look: Look, stopwatch: Stopwatch) -> None:
        self._lines = look.lines
        self.page = look.page
        self._regions = look.regions
        self.stopwatch = stopwatch

    async def detect_type(self) -> DocumentTypeGuess:
        """Reads the most telling lines until the type is sure."""
        detector = TypeDetector()
        image = self.page.image
        order = await asyncio.to_thread(
            detector.reading_order, self._regions, image.width_px, image.height_px
        )
        self._lines.want(order)
        for index in order:
            line = await self._line(index)
            with self.stopwatch.step(Stage.INTERPRET):
                guess = await asyncio.to_thread(detector.feed, line)
            if guess is not None:
                return guess
        return await asyncio.to_thread(detector.finish)

    async def by_barcodes(self, barcodes: Sequence[Barcode]) -> DocumentTypeGuess | None:
        """The type that the picture's barcodes tell, if they do."""
        if not barcodes:
            return None
        guess = await asyncio.to_thread(TypeDetector(barcodes).finish)
        return guess if guess.key != TEXT.key else None

    async def fields(
        self, found: DocumentType, today: date, means: ReadingMeans
    ) -> AsyncGenerator[FieldRead | ExtractionProgress, None]:
        """Reads what a document of this type needs, field by field."""
        order, reader = await asyncio.to_thread(self._begin, found, today, means)
        if reader.complete:  # from the start: a barcode says it all
            order = ()
        self._lines.want(order)
        total = len(order)
        for done, index in enumerate(order, start=1):
            line = await self._line(index)
            for event in await self._interpret(partial(reader.feed, line)):
                yield event
            if reader.complete:
                total = done
            yield ExtractionProgress(done, total)
            if reader.complete:
                break
        for event in await self._interpret(reader.finish):
            yield event
        if not total:
            yield ExtractionProgress(0, 0)

    def _begin(
        self, found: DocumentType, today: date, means: ReadingMeans
    ) -> tuple[Sequence[int], FieldReader]:
        image = self.page.image
        order = found.reading_order(self._regions, image.width_px, image.height_px)
        return order, found.start(today, means)

    async def _line(self, index: int) -> TextLine:
        with self.stopwatch.step(Stage.RECOGNISE):
            return await self._lines.line(index)

    async def _interpret(self, read: Callable[[], Iterable[ExtractedField]]) -> list[FieldRead]:
        with self.stopwatch.step(Stage.INTERPRET):
            fields = await asyncio.to_thread(lambda: list(read()))
        if fields:
            self.stopwatch.field_read()
        return [FieldRead(self._in_picture(field)) for field in fields]

    def _in_picture(self, field: ExtractedField) -> ExtractedField:
        """The field with its place in the submitted picture, and whether it comes from the file's text."""
        if field.quad is None:
            return field
        if field.source is FieldSource.VISUAL and self._lines.tells(field.quad):
            return replace(field, source=FieldSource.TEXT_LAYER)
        if self.page.placement.into_picture is None:
            return field
        return replace(field, quad=self.page.placement.quad_in_picture(field.quad))
