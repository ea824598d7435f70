"""Reads documents: decides what is read in which order, and tells each field as soon as it is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.domain.document import DocumentTypeGuess, ExtractedField, assemble
from vidence_server.extraction.domain.events import (
    DocumentTypeDetected,
    ExtractionComplete,
    ExtractionEvent,
    ExtractionProgress,
    ExtractionStart,
    FieldRead,
    Stage,
)
from vidence_server.extraction.stopwatch import Stopwatch
from vidence_server.extraction.types.detect import TypeDetector
from vidence_server.extraction.types.document_type import DocumentType
from vidence_server.extraction.types.registry import DOCUMENT_TYPES, document_type
from vidence_server.inference.engine import Engine, Priority
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.text import TextLine, TextRegion


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """One image to read."""

    content: bytes
    document_type: str = ""
    """Key of the type; empty to detect it."""
    pdf_page: int = 1
    """From 1; ignored for images."""
    priority: Priority = Priority.INTERACTIVE
    deadline: Deadline | None = None


class ExtractionService:
    """Reads one image per call; calls share nothing but the engine."""

    def __init__(
        self, *, engine: Engine, decoder: ImageDecoder, reader: TextReader, clock: Clock, ids: IdFactory
    ) -> None:
        self._engine = engine
        self._decoder = decoder
        self._reader = reader
        self._clock = clock
        self._ids = ids

    def document_types(self) -> tuple[DocumentType, ...]:
        """The types that can be read, sorted by key."""
        return tuple(sorted(DOCUMENT_TYPES, key=lambda known: known.key))

    async def extract(self, request: ExtractionRequest) -> AsyncGenerator[ExtractionEvent, None]:
        """Reads one image; closing the generator stops the work.

        Yields:
            The events in the order that `domain.events` states.

        Raises:
            DomainError: DOCUMENT_TYPE_UNKNOWN, the IMAGE_… and PDF_… reasons, QUEUE_FULL, DEADLINE_EXCEEDED.
        """
        stopwatch = Stopwatch(self._clock)
        known = document_type(request.document_type) if request.document_type else None
        image = await self._decode(request, stopwatch)
        yield ExtractionStart(
            extraction_id=self._ids.new("ext"),
            document_type=known.key if known else None,
            plan=known.planned_fields if known else (),
            width_px=image.width_px,
            height_px=image.height_px,
        )
        with stopwatch.step(Stage.DETECT):
            regions = await self._reader.detect(image, priority=request.priority, deadline=request.deadline)
        reading = _Reading(self._reader, image, regions, request, stopwatch)
        async with aclosing(self._read(reading, known)) as events:
            async for event in events:
                yield event

    async def _decode(self, request: ExtractionRequest, stopwatch: Stopwatch) -> Image:
        with stopwatch.step(Stage.DECODE):
            return await self._engine.call(
                partial(self._decoder.decode, request.content, pdf_page=request.pdf_page),
                step="decode",
                priority=request.priority,
                deadline=request.deadline,
            )

    async def _read(
        self, reading: _Reading, known: DocumentType | None
    ) -> AsyncGenerator[ExtractionEvent, None]:
        guess = DocumentTypeGuess(known.key, 1.0) if known else await reading.detect_type()
        found = document_type(guess.key)
        if known is None:
            yield DocumentTypeDetected(guess, found.planned_fields)
        fields: list[ExtractedField] = []
        async with aclosing(reading.fields(found, self._clock)) as events:
            async for event in events:
                if isinstance(event, FieldRead):
                    fields.append(event.field)
                yield event
        document = assemble(guess, fields, found.planned_fields)
        yield ExtractionComplete(document, reading.stopwatch.budget())


class _Reading:
    """The lines of one picture: each is read once, whoever asks first."""

    def __init__(
        self,
        reader: TextReader,
        image: Image,
        regions: Sequence[TextRegion],
        request: ExtractionRequest,
        stopwatch: Stopwatch,
    ) -> None:
        self._reader = reader
        self._image = image
        self._regions = regions
        self._request = request
        self._lines: dict[int, TextLine] = {}
        self.stopwatch = stopwatch

    async def detect_type(self) -> DocumentTypeGuess:
        """Reads the most telling lines until the type is sure."""
        detector = TypeDetector()
        order = detector.reading_order(self._regions, self._image.width_px, self._image.height_px)
        async with aclosing(self._lines_in(order)) as lines:
            async for line in lines:
                with self.stopwatch.step(Stage.INTERPRET):
                    guess = detector.feed(line)
                if guess is not None:
                    return guess
        return detector.finish()

    async def fields(
        self, found: DocumentType, clock: Clock
    ) -> AsyncGenerator[FieldRead | ExtractionProgress, None]:
        """Reads what a document of this type needs, field by field."""
        order = found.reading_order(self._regions, self._image.width_px, self._image.height_px)
        reader = found.start(clock.now().date())
        total, done = len(order), 0
        async with aclosing(self._lines_in(order)) as lines:
            async for line in lines:
                done += 1
                for event in self._interpret(partial(reader.feed, line)):
                    yield event
                if reader.complete:
                    total = done
                yield ExtractionProgress(done, total)
                if reader.complete:
                    break
        for event in self._interpret(reader.finish):
            yield event
        if not total:
            yield ExtractionProgress(0, 0)

    def _interpret(self, read: Callable[[], Iterable[ExtractedField]]) -> Iterable[FieldRead]:
        with self.stopwatch.step(Stage.INTERPRET):
            fields = list(read())
        if fields:
            self.stopwatch.field_read()
        return map(FieldRead, fields)

    async def _lines_in(self, order: Sequence[int]) -> AsyncGenerator[TextLine, None]:
        """The lines of these regions in this order, read where they are not known yet."""
        missing = [index for index in order if index not in self._lines]
        recognised = self._reader.recognise(
            self._image,
            [self._regions[index] for index in missing],
            indices=missing,
            priority=self._request.priority,
            deadline=self._request.deadline,
        )
        async with aclosing(recognised):
            for index in order:
                if index not in self._lines:
                    with self.stopwatch.step(Stage.RECOGNISE):
                        self._lines[index] = await anext(recognised)
                yield self._lines[index]
