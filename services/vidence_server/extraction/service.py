"""Reads documents: decides what is read in which order, and tells each field as soon as it is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from vidence_server.core.clock import Clock
from vidence_server.core.deadline import Deadline
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.catalogues import CardCatalogues
from vidence_server.extraction.domain.document import Document, DocumentTypeGuess, ExtractedField, assemble
from vidence_server.extraction.domain.events import (
    DocumentTypeDetected,
    ExtractionComplete,
    ExtractionEvent,
    ExtractionProgress,
    ExtractionStart,
    FieldRead,
    Stage,
)
from vidence_server.extraction.domain.provenance import Maker, Source, provenance_record
from vidence_server.extraction.domain.runs import StartedRun
from vidence_server.extraction.recording import RunRecorder, RunRecording
from vidence_server.extraction.stopwatch import Stopwatch
from vidence_server.extraction.types.detect import TypeDetector
from vidence_server.extraction.types.document_type import DocumentType, Need
from vidence_server.extraction.types.means import ReadingMeans
from vidence_server.extraction.types.registry import DOCUMENT_TYPES, document_type
from vidence_server.extraction.types.text import TEXT
from vidence_server.inference.engine import Engine, Priority
from vidence_server.vision.barcodes import Barcode, read_barcodes
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.ocr.profile import DetectorSize
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
    tenant: str = "default"
    """Whose reading it is; from the credential."""
    record: bool = False
    """Whether the reading ends with its provenance record."""
    catalogue: str = ""
    """Name of the card catalogue for decklists; empty: the service's default."""


class ExtractionService:
    """Reads one image per call; calls share nothing but the engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        decoder: ImageDecoder,
        reader: TextReader,
        recorder: RunRecorder,
        catalogues: CardCatalogues,
        maker: Maker,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._engine = engine
        self._decoder = decoder
        self._reader = reader
        self._recorder = recorder
        self._catalogues = catalogues
        self._maker = maker
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
            DomainError: DOCUMENT_TYPE_UNKNOWN, CATALOGUE_UNKNOWN, the IMAGE_… and PDF_… reasons, QUEUE_FULL,
                DEADLINE_EXCEEDED.
        """
        stopwatch = Stopwatch(self._clock)
        known = document_type(request.document_type) if request.document_type else None
        self._catalogues.check(request.catalogue)
        image = await self._decode(request, stopwatch)
        start = ExtractionStart(
            extraction_id=self._ids.new("ext"),
            document_type=known.key if known else None,
            plan=known.planned_fields if known else (),
            width_px=image.width_px,
            height_px=image.height_px,
        )
        with self._recorded(start, request) as recording:
            yield start
            async with aclosing(self._read_image(request, image, stopwatch, known)) as events:
                async for event in events:
                    recording.note(event)
                    yield event

    def _recorded(self, start: ExtractionStart, request: ExtractionRequest) -> RunRecording:
        run = StartedRun(
            tenant=request.tenant,
            extraction_id=start.extraction_id,
            document_type=start.document_type or "",
            start_time=self._clock.now(),
        )
        return RunRecording(self._recorder, run, self._clock, deadline=request.deadline)

    async def _read_image(
        self, request: ExtractionRequest, image: Image, stopwatch: Stopwatch, known: DocumentType | None
    ) -> AsyncGenerator[ExtractionEvent, None]:
        """Reads a picture of a known type, or finds the type out; small print is then looked at again."""
        found = known
        if found is None:
            async with self._looking(request, image, stopwatch, None) as reading:
                guess = await self._detect_type(request, reading)
                found = document_type(guess.key)
                yield DocumentTypeDetected(guess, found.planned_fields)
                if found.detector_size is None:
                    async with aclosing(self._read(request, reading, guess, found)) as events:
                        async for event in events:
                            yield event
                    return
        else:
            guess = DocumentTypeGuess(found.key, 1.0)
        async with (
            self._looking(request, image, stopwatch, found.detector_size) as reading,
            aclosing(self._read(request, reading, guess, found)) as events,
        ):
            async for event in events:
                yield event

    async def _detect_type(self, request: ExtractionRequest, reading: _Reading) -> DocumentTypeGuess:
        """From the lines; where they tell nothing, from a barcode."""
        guess = await reading.detect_type()
        if guess.key == TEXT.key:
            guess = reading.by_barcodes(await self._barcodes(request, reading.image, tilted=False)) or guess
        return guess

    @asynccontextmanager
    async def _looking(
        self, request: ExtractionRequest, image: Image, stopwatch: Stopwatch, size: DetectorSize | None
    ) -> AsyncIterator[_Reading]:
        with stopwatch.step(Stage.DETECT):
            regions = await self._reader.detect(
                image, size=size, priority=request.priority, deadline=request.deadline
            )
        lines = self._reader.lines(image, regions, priority=request.priority, deadline=request.deadline)
        async with lines:
            yield _Reading(lines, image, regions, stopwatch)

    async def _decode(self, request: ExtractionRequest, stopwatch: Stopwatch) -> Image:
        with stopwatch.step(Stage.DECODE):
            return await self._engine.call(
                partial(self._decoder.decode, request.content, pdf_page=request.pdf_page),
                step="decode",
                priority=request.priority,
                deadline=request.deadline,
            )

    async def _read(
        self, request: ExtractionRequest, reading: _Reading, guess: DocumentTypeGuess, found: DocumentType
    ) -> AsyncGenerator[ExtractionEvent, None]:
        means = await self._means(request, reading.image, found)
        fields: list[ExtractedField] = []
        async with aclosing(reading.fields(found, self._clock, means)) as events:
            async for event in events:
                if isinstance(event, FieldRead):
                    fields.append(event.field)
                yield event
        document = assemble(guess, fields, found.planned_fields)
        record = self._record(request, reading.image, means, document) if request.record else ""
        yield ExtractionComplete(document, reading.stopwatch.budget(), record)

    def _record(
        self, request: ExtractionRequest, image: Image, means: ReadingMeans, document: Document
    ) -> str:
        source = Source(
            image_sha256=image.sha256,
            media_type=image.media_type,
            width_px=image.width_px,
            height_px=image.height_px,
            pdf_page=request.pdf_page,
            document_type=request.document_type,
            catalogue=request.catalogue,
            catalogue_sha256=means.catalogue.sha256 if means.catalogue else "",
            today=self._clock.now().date(),
        )
        return provenance_record(source, self._maker, document)

    async def _means(self, request: ExtractionRequest, image: Image, found: DocumentType) -> ReadingMeans:
        """What the type asks for beside the lines."""
        needs = found.needs
        return ReadingMeans(
            catalogue=await self._catalogues.get(request.catalogue) if Need.CATALOGUE in needs else None,
            barcodes=await self._barcodes(request, image) if Need.BARCODES in needs else (),
        )

    async def _barcodes(
        self, request: ExtractionRequest, image: Image, *, tilted: bool = True
    ) -> tuple[Barcode, ...]:
        return await self._engine.call(
            partial(read_barcodes, image, tilted=tilted),
            step="barcodes",
            priority=request.priority,
            deadline=request.deadline,
        )


class _Reading:
    """The lines of one picture: each is read once, whoever asks first."""

    def __init__(
        self, lines: PageLines, image: Image, regions: Sequence[TextRegion], stopwatch: Stopwatch
    ) -> None:
        self._lines = lines
        self.image = image
        self._regions = regions
        self.stopwatch = stopwatch

    async def detect_type(self) -> DocumentTypeGuess:
        """Reads the most telling lines until the type is sure."""
        detector = TypeDetector()
        order = detector.reading_order(self._regions, self.image.width_px, self.image.height_px)
        self._lines.want(order)
        for index in order:
            line = await self._line(index)
            with self.stopwatch.step(Stage.INTERPRET):
                guess = detector.feed(line)
            if guess is not None:
                return guess
        return detector.finish()

    def by_barcodes(self, barcodes: Sequence[Barcode]) -> DocumentTypeGuess | None:
        """The type that the picture's barcodes tell, if they do."""
        guess = TypeDetector(barcodes).finish() if barcodes else None
        return guess if guess is not None and guess.key != TEXT.key else None

    async def fields(
        self, found: DocumentType, clock: Clock, means: ReadingMeans
    ) -> AsyncGenerator[FieldRead | ExtractionProgress, None]:
        """Reads what a document of this type needs, field by field."""
        order = found.reading_order(self._regions, self.image.width_px, self.image.height_px)
        self._lines.want(order)
        reader = found.start(clock.now().date(), means)
        total = len(order)
        for done, index in enumerate(order, start=1):
            line = await self._line(index)
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

    async def _line(self, index: int) -> TextLine:
        with self.stopwatch.step(Stage.RECOGNISE):
            return await self._lines.line(index)

    def _interpret(self, read: Callable[[], Iterable[ExtractedField]]) -> Iterable[FieldRead]:
        with self.stopwatch.step(Stage.INTERPRET):
            fields = list(read())
        if fields:
            self.stopwatch.field_read()
        return map(FieldRead, fields)
