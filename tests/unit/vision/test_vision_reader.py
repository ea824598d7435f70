"""Reading with the real models: text, order, boxes, isolation, and what happens when the reader goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import numpy as np
import pytest
from PIL import Image as PillowImage

from eventually import eventually
from fakes.inference import FakeSession, Gate
from fakes.vision import blank, box, page_of, picture_of, region, written
from vidence_server.core.clock import SystemClock
from vidence_server.core.deadline import Deadline
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.ocr.recogniser import Vocabulary
from vidence_server.vision.text import TextLine, TextRegion

LETTER = (
    "Quarterly report 2026",
    "The inspector watches a camera",
    "Total 1,284.50 EUR",
    "L898902C36UTO7408122F1204159",
    "ERIKSSON ANNA MARIA",
    "Signed in Utrecht",
)


async def read(reader: TextReader, image: Image) -> list[TextLine]:
    regions = await reader.detect(image)
    async with aclosing(reader.recognise(image, regions)) as lines:
        return [line async for line in lines]


def texts(lines: Sequence[TextLine]) -> list[str]:
    return [line.text for line in lines]


def idle(engine: Engine) -> bool:
    statistics = engine.statistics()
    steps = [*statistics.models.values(), *statistics.calls.values()]
    return statistics.busy_workers == 0 and all(step.queued == step.running == 0 for step in steps)


@pytest.mark.requirement("R-EX2")
async def test_a_page_is_read_in_order(reader: TextReader) -> None:
    lines = await read(reader, page_of(LETTER))
    assert texts(lines) == list(LETTER)
    assert [line.index for line in lines] == list(range(len(LETTER)))
    assert all(line.confidence > 0.9 for line in lines)


@pytest.mark.parametrize("size", [14, 20, 40, 72])
async def test_letters_of_any_size_are_read(reader: TextReader, size: int) -> None:
    assert texts(await read(reader, page_of(LETTER[:3], size=size, width=1400))) == list(LETTER[:3])


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("degrees", [-10, -5, 5, 10])
async def test_a_tilted_page_is_read_in_order(reader: TextReader, degrees: float) -> None:
    page, _ = written(LETTER, width=700)
    tilted = page.rotate(degrees, expand=True, fillcolor="white", resample=PillowImage.Resampling.BICUBIC)
    assert texts(await read(reader, picture_of(tilted))) == list(LETTER)


async def test_cells_of_a_table_are_read_row_by_row(reader: TextReader) -> None:
    left, _ = written(["Apples", "Pears", "Plums"], width=400)
    right, _ = written(["12.50", "7.25", "3.10"], width=400)
    page = PillowImage.new("RGB", (800, left.height), "white")
    page.paste(left, (0, 0))
    page.paste(right, (400, 0))
    assert texts(await read(reader, picture_of(page))) == [
        "Apples",
        "12.50",
        "Pears",
        "7.25",
        "Plums",
        "3.10",
    ]


@pytest.mark.requirement("R-EX3")
async def test_boxes_cover_the_ink_and_little_more(reader: TextReader) -> None:
    page, ink = written(LETTER)
    for line, truth in zip(await read(reader, picture_of(page)), ink, strict=True):
        left, top, right, bottom = truth.ink
        xs, ys = [p.x for p in line.quad.corners], [p.y for p in line.quad.corners]
        slack = bottom - top
        assert left - slack < min(xs) <= left + 2
        assert right - 2 <= max(xs) < right + slack
        assert top - slack < min(ys) <= top + 2
        assert bottom - 2 <= max(ys) < bottom + slack


@pytest.mark.requirement("R-EX3")
async def test_characters_lie_where_they_were_written(reader: TextReader) -> None:
    page, _ = written(["A                    B"])
    lines = await read(reader, picture_of(page))
    alone = await read(reader, picture_of(written(["ABCDEFGHIJKLMNOPQRST"])[0]))
    positions = [character.position for character in alone[0].characters]
    assert positions == sorted(positions)
    assert positions[0] < 0.1
    assert positions[-1] > 0.9
    assert "".join(line.text for line in lines).replace(" ", "") == "AB"
    assert all(0 <= c.confidence <= 1 and len(c.alternatives) <= 3 for c in alone[0].characters)
    assert "".join(c.text for c in alone[0].characters) == alone[0].text


@pytest.mark.requirement("R-EX7")
@pytest.mark.parametrize("image", [blank(), blank(8, 8), blank(2000, 9), blank(colour="black")])
async def test_an_empty_page_has_no_lines(reader: TextReader, image: Image) -> None:
    assert await reader.detect(image) == ()


@pytest.mark.requirement("R-EX7")
async def test_noise_is_no_failure(reader: TextReader) -> None:
    values = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    await read(reader, Image(values, "image/png", ""))


@pytest.mark.requirement("R-EX4")
async def test_vertical_writing_is_read_from_top_to_bottom(reader: TextReader) -> None:
    page, _ = written(["ERIKSSON ANNA MARIA"], width=420)
    turned = picture_of(page.rotate(-90, expand=True))
    assert texts(await read(reader, turned)) == ["ERIKSSON ANNA MARIA"]


async def test_the_order_may_change_while_lines_are_read(reader: TextReader, engine: Engine) -> None:
    image = page_of(LETTER)
    regions = await reader.detect(image)
    async with reader.lines(image, regions) as lines:
        lines.want([3, 0, 5])
        first = await lines.line(3)
        lines.want([5, 3, 1])
        rest = [await lines.line(index) for index in (5, 3, 1)]
    assert [(line.index, line.text) for line in (first, *rest)] == [(i, LETTER[i]) for i in (3, 5, 3, 1)]
    assert rest[1] is first  # read once
    assert idle(engine)


async def test_a_line_is_begun_when_asked_for_though_others_fill_the_places() -> None:
    release = {index: asyncio.Event() for index in range(4)}

    async def wait_for(index: int) -> TextLine:
        await release[index].wait()
        return TextLine(index, "", 0.0, REGIONS[0].quad)

    async with PageLines(wait_for, ahead=2) as lines:
        lines.want([2, 3])
        lines.want([0, 1, 2, 3])
        release[0].set()
        assert (await lines.line(0)).index == 0


async def test_lines_that_are_no_longer_wanted_are_given_up() -> None:
    started: list[int] = []
    gone: list[int] = []

    async def never(index: int) -> TextLine:
        started.append(index)
        try:
            await asyncio.Event().wait()
        finally:
            gone.append(index)
        raise AssertionError

    async with PageLines(never, ahead=2) as lines:
        lines.want([0, 1, 2])
        await eventually(lambda: started == [0, 1])
        lines.want([1, 3])
        await eventually(lambda: gone == [0] and started == [0, 1, 3])
    assert sorted(gone) == [0, 1, 3]


async def test_nothing_to_read_gives_no_lines(reader: TextReader, engine: Engine) -> None:
    async with aclosing(reader.recognise(blank(), [])) as lines:
        assert [line async for line in lines] == []
    assert idle(engine)


@pytest.mark.requirement("R-EX6")
async def test_16_pictures_in_flight_give_what_they_give_alone(reader: TextReader) -> None:
    images = [page_of([f"Document {n}", f"{n * 7919:08d}"], size=20 + n, width=400) for n in range(16)]
    alone = [await read(reader, image) for image in images]
    together = await asyncio.gather(*(read(reader, image) for image in images))
    # Frozen dataclasses of floats: equal means bit for bit, boxes, confidences and alternatives included.
    assert together == alone
    assert [lines[0].text for lines in alone] == [f"Document {n}" for n in range(16)]


@pytest.mark.requirement("R-OP7")
async def test_closing_half_way_leaves_the_engine_idle(reader: TextReader, engine: Engine) -> None:
    image = page_of(LETTER)
    regions = await reader.detect(image)
    before = asyncio.all_tasks()
    lines = reader.recognise(image, regions)
    assert (await anext(lines)).text == LETTER[0]
    await lines.aclose()
    assert asyncio.all_tasks() == before
    await eventually(lambda: idle(engine))
    read_lines = engine.statistics().models["ocr-recogniser"].completed
    assert read_lines < len(LETTER)


# --- with models that the test holds in its hand ---

VOCABULARY = Vocabulary(("", "a", "b"))
REGIONS = tuple(region(box(0, 50 * n, 200, 40)) for n in range(9))


class OneLetter(FakeSession):
    """A recogniser that reads the letter `a` in everything."""

    def run(self, inputs: object, run_options: object) -> tuple[np.ndarray, ...]:
        super().run(inputs, run_options)  # type: ignore[arg-type]  # the fake's knobs work on whatever comes
        return (np.array([[[0.0, 0.9, 0.1], [1.0, 0.0, 0.0]]], np.float32),)


async def collected(reader: TextReader, regions: Sequence[TextRegion] = REGIONS) -> list[TextLine]:
    async with aclosing(reader.recognise(blank(200, 500), regions)) as lines:
        return [line async for line in lines]


@pytest.mark.parametrize("workers", [1, 3])
async def test_never_more_lines_are_in_flight_than_the_profile_allows(workers: int) -> None:
    gate = Gate(shut=True)
    sessions = {"ocr-recogniser": OneLetter(gate=gate)}
    async with Engine(sessions, EngineSettings(workers=workers), SystemClock()) as engine:
        reader = TextReader(engine, ReadingProfile(lines_ahead_per_worker=2), VOCABULARY)
        reading = asyncio.create_task(collected(reader))
        for _ in range(workers):
            await gate.arrival()
        statistics = engine.statistics()
        steps = [*statistics.models.values(), *statistics.calls.values()]
        assert sum(step.queued + step.running for step in steps) <= 2 * workers
        gate.open()
        assert texts(await reading) == ["a"] * len(REGIONS)


@pytest.mark.requirement("R-OP7")
async def test_a_cancelled_consumer_stops_the_running_step() -> None:
    gate = Gate(shut=True)
    session = OneLetter(gate=gate)
    async with Engine({"ocr-recogniser": session}, EngineSettings(workers=2), SystemClock()) as engine:
        reading = asyncio.create_task(collected(TextReader(engine, ReadingProfile(), VOCABULARY)))
        await gate.arrival()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(lambda: idle(engine))
        assert session.terminated >= 1
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failing_line_ends_the_reading_and_its_neighbours() -> None:
    session = OneLetter(error=RuntimeError("broken"))
    async with Engine({"ocr-recogniser": session}, EngineSettings(workers=2), SystemClock()) as engine:
        with pytest.raises(DomainError) as caught:
            await collected(TextReader(engine, ReadingProfile(), VOCABULARY))
        assert caught.value.reason is Reason.INTERNAL
        await eventually(lambda: idle(engine))


async def test_a_passed_deadline_ends_the_reading() -> None:
    clock = SystemClock()
    async with Engine({"ocr-recogniser": OneLetter()}, EngineSettings(workers=1), clock) as engine:
        reader = TextReader(engine, ReadingProfile(), VOCABULARY)
        with pytest.raises(DomainError) as caught:
            await anext(reader.recognise(blank(), REGIONS, deadline=Deadline.after(-1, clock)))
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
