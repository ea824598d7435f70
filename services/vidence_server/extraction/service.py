"""Reads documents: decides what is read in which order, and tells each field as soon as it is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
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
    ExtractionStart,
    FieldRead,
    Stage,
)
from vidence_server.extraction.domain.provenance import Source, provenance_record
from vidence_server.extraction.domain.runs import StartedRun
from vidence_server.extraction.looking import PageLooker
from vidence_server.extraction.page_reading import PageReading
from vidence_server.extraction.profile_readers import ProfileReaders
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
from vidence_server.vision.pages.straight import Page


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
    profile: str = ""
    """Name of the reading profile; empty: the service's default."""


class ExtractionService:
    """Reads one image per call; calls share nothing but the engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        decoder: ImageDecoder,
        profiles: ProfileReaders,
        recorder: RunRecorder,
        catalogues: CardCatalogues,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._engine = engine
        self._decoder = decoder
        self._profiles = profiles
        self._recorder = recorder
        self._catalogues = catalogues
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
            DomainError: DOCUMENT_TYPE_UNKNOWN, CATALOGUE_UNKNOWN, PROFILE_UNKNOWN, the IMAGE_… and
                PDF_… reasons, QUEUE_FULL, DEADLINE_EXCEEDED.
        """
        stopwatch = Stopwatch(self._clock)
        known = document_type(request.document_type) if request.document_type else None
        self._catalogues.check(request.catalogue)
        self._profiles.get(request.profile)
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
        found, page = known, Page.of(image)
        if found is None:
            async with self._looking(request, page, stopwatch, None) as reading:
                page = reading.page
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
            self._looking(request, page, stopwatch, found) as reading,
            aclosing(self._read(request, reading, guess, found)) as events,
        ):
            async for event in events:
                yield event

    async def _detect_type(self, request: ExtractionRequest, reading: PageReading) -> DocumentTypeGuess:
        """From the lines; where they tell nothing, from a barcode."""
        guess = await reading.detect_type()
        if guess.key == TEXT.key:
            barcodes = await self._barcodes(request, reading.page, tilted=False)
            guess = await reading.by_barcodes(barcodes) or guess
        return guess

    @asynccontextmanager
    async def _looking(
        self, request: ExtractionRequest, page: Page, stopwatch: Stopwatch, found: DocumentType | None
    ) -> AsyncIterator[PageReading]:
        """Looks at a page of a type, or of one that is to be found out."""
        looker = PageLooker(
            self._engine,
            self._profiles.get(request.profile).reader,
            stopwatch,
            priority=request.priority,
            deadline=request.deadline,
        )
        size = found.detector_size if found is not None else None
        order_of = (found or TypeDetector()).reading_order
        async with looker.look(page, size, order_of) as look:
            yield PageReading(look, stopwatch)

    async def _decode(self, request: ExtractionRequest, stopwatch: Stopwatch) -> Image:
        with stopwatch.step(Stage.DECODE):
            return await self._engine.call(
                partial(self._decoder.decode, request.content, pdf_page=request.pdf_page),
                step="decode",
                priority=request.priority,
                deadline=request.deadline,
            )

    async def _read(
        self, request: ExtractionRequest, reading: PageReading, guess: DocumentTypeGuess, found: DocumentType
    ) -> AsyncGenerator[ExtractionEvent, None]:
        means = await self._means(request, reading.page, found)
        fields: list[ExtractedField] = []
        async with aclosing(reading.fields(found, self._clock.now().date(), means)) as events:
            async for event in events:
                if isinstance(event, FieldRead):
                    fields.append(event.field)
                yield event
        document = assemble(guess, fields, found.planned_fields)
        record = self._record(request, reading.page.picture, means, document) if request.record else ""
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
            profile=request.profile,
            catalogue_sha256=means.catalogue.sha256 if means.catalogue else "",
            today=self._clock.now().date(),
        )
        return provenance_record(source, self._profiles.get(request.profile).maker, document)

    async def _means(self, request: ExtractionRequest, page: Page, found: DocumentType) -> ReadingMeans:
        """What the type asks for beside the lines."""
        needs = found.needs
        return ReadingMeans(
            catalogue=await self._catalogues.get(request.catalogue) if Need.CATALOGUE in needs else None,
            barcodes=await self._barcodes(request, page) if Need.BARCODES in needs else (),
        )

    async def _barcodes(
        self, request: ExtractionRequest, page: Page, *, tilted: bool = True
    ) -> tuple[Barcode, ...]:
        """Codes are looked for in the picture as it was submitted: their finder bears every turn."""
        found = await self._engine.call(
            partial(read_barcodes, page.picture, tilted=tilted),
            step="barcodes",
            priority=request.priority,
            deadline=request.deadline,
        )
        return tuple(replace(one, quad=page.placement.quad_on_page(one.quad)) for one in found)
