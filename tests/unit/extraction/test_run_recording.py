"""Each reading that begins is told to the recorder with its one end, whatever that is."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
from PIL import Image as PillowImage

from fakes.inference import TurnableClock
from fakes.vision import box, region
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.catalogues import CardCatalogues
from vidence_server.extraction.domain.events import ExtractionComplete, ExtractionStart
from vidence_server.extraction.domain.provenance import Maker
from vidence_server.extraction.domain.runs import EndedRun, RunState, StartedRun
from vidence_server.extraction.profile_readers import ProfileReader, ProfileReaders
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.inference.engine import Engine, EngineSettings, Priority
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.ocr.profile import DetectorSize
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.text import TextLine, TextRegion


@dataclass
class Recorder:
    started_runs: list[StartedRun] = field(default_factory=list)
    ended_runs: list[EndedRun] = field(default_factory=list)

    def started(self, run: StartedRun) -> None:
        self.started_runs.append(run)

    def ended(self, run: EndedRun) -> None:
        self.ended_runs.append(run)

    @property
    def end(self) -> EndedRun:
        [started], [ended] = self.started_runs, self.ended_runs
        assert ended.start == started
        return ended


@dataclass
class ScriptedReader:
    """Sees one line; knobs: what reading raises, an event to wait for."""

    error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    clock: TurnableClock = field(default_factory=TurnableClock)

    async def detect(
        self,
        image: Image,
        *,
        size: DetectorSize | None = None,
        priority: Priority,
        deadline: Deadline | None,
    ) -> Sequence[TextRegion]:
        return [region(box(0, 0, 10, 5))]

    def lines(
        self, image: Image, regions: Sequence[TextRegion], *, priority: Priority, deadline: Deadline | None
    ) -> PageLines:
        return PageLines(self._line, ahead=1)

    async def _line(self, index: int) -> TextLine:
        await self.gate.wait()
        self.clock.advance(2)
        if self.error is not None:
            raise self.error
        return TextLine(index, "SECRET-NAME", 0.9, box(0, 0, 10, 5))


def picture() -> bytes:
    content = io.BytesIO()
    PillowImage.new("RGB", (64, 48), "white").save(content, "PNG")
    return content.getvalue()


@asynccontextmanager
async def service_with(recorder: Recorder, reader: ScriptedReader) -> AsyncIterator[ExtractionService]:
    clock = reader.clock
    limits = ImageLimits(max_bytes=1 << 20, max_pixels=1 << 20, pdf_dpi=72)
    async with Engine({}, EngineSettings(workers=1), clock) as engine:
        yield ExtractionService(
            engine=engine,
            decoder=ImageDecoder(limits),
            profiles=ProfileReaders(
                {"only": ProfileReader(cast(TextReader, reader), Maker("1.0", {}, {}))}, "only"
            ),
            recorder=recorder,
            catalogues=CardCatalogues({}),
            clock=clock,
            ids=IdFactory(clock),
        )


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def reader() -> ScriptedReader:
    scripted = ScriptedReader()
    scripted.gate.set()
    return scripted


@pytest.mark.requirement("R-EX9")
async def test_a_complete_reading_is_recorded_without_its_contents(
    recorder: Recorder, reader: ScriptedReader
) -> None:
    async with service_with(recorder, reader) as service:
        request = ExtractionRequest(picture(), tenant="till")
        events = [event async for event in service.extract(request)]
    assert isinstance(events[0], ExtractionStart)
    end = recorder.end
    assert (end.state, end.reason, end.document_type) == (RunState.COMPLETED, None, "text")
    assert (end.field_count, end.invalid_field_count, end.total_s) == (1, 0, 2)
    assert (end.start.extraction_id, end.start.tenant) == (events[0].extraction_id, "till")
    assert end.start.document_type == ""
    assert "SECRET-NAME" not in repr(recorder)


async def test_who_closes_at_the_last_event_has_completed(recorder: Recorder, reader: ScriptedReader) -> None:
    async with (
        service_with(recorder, reader) as service,
        aclosing(service.extract(ExtractionRequest(picture(), "text"))) as events,
    ):
        async for event in events:
            if isinstance(event, ExtractionComplete):
                break
    assert recorder.end.state is RunState.COMPLETED


@pytest.mark.parametrize("kind", ["ExtractionStart", "FieldRead", "ExtractionProgress"])
async def test_who_closes_before_has_cancelled(recorder: Recorder, reader: ScriptedReader, kind: str) -> None:
    async with (
        service_with(recorder, reader) as service,
        aclosing(service.extract(ExtractionRequest(picture(), "text"))) as events,
    ):
        async for event in events:
            if type(event).__name__ == kind:
                break
    assert (recorder.end.state, recorder.end.reason) == (RunState.CANCELLED, Reason.CANCELLED)
    assert recorder.end.document_type == "text"


@pytest.mark.parametrize(
    ("late", "state", "reason"),
    [
        (False, RunState.CANCELLED, Reason.CANCELLED),
        (True, RunState.FAILED, Reason.DEADLINE_EXCEEDED),
    ],
)
async def test_a_cancelled_task_ends_its_reading_and_says_whether_it_was_late(
    recorder: Recorder, reader: ScriptedReader, *, late: bool, state: RunState, reason: Reason
) -> None:
    reader.gate.clear()
    begun = asyncio.Event()

    async def read(service: ExtractionService) -> None:
        deadline = Deadline.after(60, reader.clock)
        async with aclosing(
            service.extract(ExtractionRequest(picture(), "text", deadline=deadline))
        ) as events:
            async for _ in events:
                begun.set()

    async with service_with(recorder, reader) as service:
        reading = asyncio.create_task(read(service))
        await begun.wait()
        reader.clock.advance(61 if late else 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert (recorder.end.state, recorder.end.reason) == (state, reason)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (DomainError(Reason.QUEUE_FULL, "full"), RunState.FAILED, Reason.QUEUE_FULL),
        (DomainError(Reason.CANCELLED, "engine stopped"), RunState.CANCELLED, Reason.CANCELLED),
        (ZeroDivisionError("SECRET-NAME"), RunState.FAILED, Reason.INTERNAL),
    ],
)
async def test_a_reading_that_fails_says_why(
    recorder: Recorder, reader: ScriptedReader, error: Exception, state: RunState, reason: Reason
) -> None:
    reader.error = error
    async with service_with(recorder, reader) as service:
        with pytest.raises(type(error)):
            _ = [event async for event in service.extract(ExtractionRequest(picture()))]
    assert (recorder.end.state, recorder.end.reason) == (state, reason)
    assert (recorder.end.field_count, recorder.end.document_type) == (0, "")


async def test_what_is_no_picture_begins_no_reading(recorder: Recorder, reader: ScriptedReader) -> None:
    async with service_with(recorder, reader) as service:
        with pytest.raises(DomainError):
            _ = [event async for event in service.extract(ExtractionRequest(b"no picture"))]
    assert recorder == Recorder()
