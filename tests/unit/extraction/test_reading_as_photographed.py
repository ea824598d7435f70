"""Documents read with the real models, as phones show them: turned, tilted, in a PDF."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from eventually import eventually
from rendering import fonts
from rendering.camera import Photograph, Stance, photograph
from rendering.decks import random_deck, render_deck
from rendering.documents import render_document
from rendering.made_up_cards import made_up_names
from rendering.pdfs import PdfPage, pdf
from rendering.people import random_person
from rendering.receipts import random_receipt, render_receipt
from vidence_server.core.clock import SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.app import build_service, models
from vidence_server.extraction.domain.document import Document, FieldSource
from vidence_server.extraction.domain.events import ExtractionComplete, ExtractionStart
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.session import ModelSession
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings
from vidence_server.vision.geometry import Point

SETTINGS = ExtractionSettings(profiles=("accurate",), profile="accurate")
NAMES = made_up_names(Random(7), 300)
TODAY = date(2026, 1, 15)
pytestmark = pytest.mark.skipif(not fonts.OCR_B.exists(), reason=fonts.OCR_B_MISSING)


@dataclass(frozen=True)
class Bench:
    """A service, and the engine below it."""

    service: ExtractionService
    engine: Engine
    known: dict[str, Document]
    """Upright documents that were read before."""

    async def upright(self, kind: str) -> Document:
        if kind not in self.known:
            self.known[kind] = await self.read(encoded(picture_of(kind)))
        return self.known[kind]

    async def read(self, content: bytes, document_type: str = "") -> Document:
        async with aclosing(self.service.extract(ExtractionRequest(content, document_type))) as events:
            found = [event async for event in events if isinstance(event, ExtractionComplete)]
        return found[-1].document


@pytest.fixture(scope="module")
def sessions() -> Mapping[str, ModelSession]:
    return load_sessions(InferenceSettings(), models(SETTINGS))


@pytest.fixture(scope="module")
def known() -> dict[str, Document]:
    return {}


@pytest.fixture
async def bench(
    sessions: Mapping[str, ModelSession], known: dict[str, Document], tmp_path: Path
) -> AsyncIterator[Bench]:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES) + "\n")
    settings = SETTINGS.model_copy(update={"card_catalogues": {"test": names}, "card_catalogue": "test"})
    clock = SystemClock()
    async with Engine(sessions, EngineSettings(workers=2), clock) as engine:
        service = build_service(settings, engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock))
        yield Bench(service, engine, known)


def picture_of(kind: str) -> Image.Image:
    match kind:
        case "passport":
            return render_document(random_person(Random(3), TODAY), "TD3", px_per_mm=8).image
        case "id_card":
            return render_document(random_person(Random(4), TODAY), "TD1", px_per_mm=10).image
        case "receipt":
            return render_receipt(random_receipt(Random(5)), "till")
        case _:
            return render_deck(random_deck(Random(6), NAMES, "mtgo"), "mtgo")


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def values(document: Document) -> dict[tuple[str, int], str]:
    return {(field.key, field.index): field.value for field in document.fields}


def assert_in_place(upright: Document, seen: Document, shown: Photograph) -> None:
    """Every field's middle is where the camera saw the middle of the same field."""
    found = {(field.key, field.index): field.quad for field in seen.fields}
    for field in upright.fields:
        quad = found[field.key, field.index]
        assert (field.quad is None) == (quad is None), field.key
        if field.quad is not None and quad is not None:
            middle = Point(*shown.place(field.quad.centre.x, field.quad.centre.y))
            assert quad.centre.distance(middle) < 0.6 * quad.height + 0.05 * quad.width, field.key
            ahead = Point(*shown.place(field.quad.top_right.x, field.quad.top_right.y))
            assert quad.top_right.distance(ahead) < quad.top_left.distance(ahead), field.key


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("kind", ["passport", "id_card", "receipt", "decklist"])
async def test_a_turned_document_is_read_as_the_upright_one(bench: Bench, kind: str, turn: int) -> None:
    shown = photograph(picture_of(kind), Stance(turn_degrees=turn))
    upright = await bench.upright(kind)
    turned = await bench.read(encoded(shown.image))
    assert upright.document_type == turned.document_type == kind
    # The page that is read has the same pixels: even confidences are equal.
    assert values(turned) == values(upright)
    assert [field.confidence for field in turned.fields] == [field.confidence for field in upright.fields]
    assert_in_place(upright, turned, shown)


@pytest.mark.requirement("R-EX4")
@pytest.mark.parametrize("stance", [Stance(25, 215), Stance(20, 35, 274), Stance(turn_degrees=-13)])
@pytest.mark.parametrize("kind", ["passport", "id_card", "receipt", "decklist"])
async def test_a_tilted_document_is_read_as_the_upright_one(bench: Bench, kind: str, stance: Stance) -> None:
    shown = photograph(picture_of(kind), stance)
    upright = await bench.upright(kind)
    tilted = await bench.read(encoded(shown.image))
    assert tilted.document_type == kind
    assert values(tilted) == values(upright)
    assert_in_place(upright, tilted, shown)


@pytest.mark.requirement("R-EX6")
async def test_pages_that_are_made_straight_together_give_what_they_give_alone(bench: Bench) -> None:
    shown = [
        encoded(photograph(picture_of(kind), stance).image)
        for kind, stance in (
            ("passport", Stance(20, 200)),
            ("receipt", Stance(turn_degrees=180)),
            ("id_card", Stance()),
        )
    ]
    alone = [await bench.read(content) for content in shown]
    assert list(await asyncio.gather(*(bench.read(content) for content in shown))) == alone


@pytest.mark.requirement("R-EX1")
async def test_a_reading_that_is_given_up_while_the_page_is_turned_leaves_nothing_behind(
    bench: Bench,
) -> None:
    content = encoded(photograph(picture_of("receipt"), Stance(turn_degrees=180)).image)

    async def reading() -> None:
        await bench.read(content)

    task = asyncio.create_task(reading())
    await eventually(lambda: "ocr-crop" in bench.engine.statistics().calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: bench.engine.statistics().busy_workers == 0)
    assert all(step.queued == 0 for step in bench.engine.statistics().models.values())


INVOICE = [
    "Harbour Light Hardware",
    "44 Harbour Street, Unit 2",
    "Date: 14/03/2025",
    "Brown sugar 1 kg   4.50",
    "Paint brush (2 inch)   12.80",
    "Total   17.30",
    "Thank you for your visit",
]


@pytest.mark.requirement("R-EX1")
async def test_a_pdfs_own_text_is_taken_where_it_is_what_is_drawn(bench: Bench) -> None:
    document = await bench.read(pdf(PdfPage(INVOICE)), "text")
    assert [field.value for field in document.fields] == [" ".join(line.split()) for line in INVOICE]
    assert {field.source for field in document.fields} == {FieldSource.TEXT_LAYER}
    assert all(field.quad is not None for field in document.fields)


@pytest.mark.requirement("R-EX1")
@pytest.mark.parametrize("told", [["Total   99.99"], ["", "9 9 9"], INVOICE[::-1], ["x" * 40] * 7])
async def test_a_lying_text_is_not_taken(bench: Bench, told: list[str]) -> None:
    document = await bench.read(pdf(PdfPage(INVOICE, told=told)), "text")
    drawn = ["".join(line.split()) for line in INVOICE]
    assert ["".join(field.value.split()) for field in document.fields] == drawn
    assert {field.source for field in document.fields} == {FieldSource.VISUAL}


@pytest.mark.requirement("R-EX1")
async def test_what_only_the_picture_of_a_page_shows_is_read_beside_its_text(bench: Bench) -> None:
    sheet = Image.new("RGB", (1240, 1754), "white")
    shown = render_receipt(random_receipt(Random(5)), "till").crop((0, 0, 720, 420))
    sheet.paste(shown, (200, 1100))
    document = await bench.read(pdf(PdfPage(INVOICE, picture=sheet)), "text")
    sources = [field.source for field in document.fields]
    assert sources[: len(INVOICE)] == [FieldSource.TEXT_LAYER] * len(INVOICE)
    assert set(sources[len(INVOICE) :]) == {FieldSource.VISUAL}
    assert len(sources) > len(INVOICE) + 4


@pytest.mark.requirement("R-EX7")
async def test_an_empty_page_of_a_pdf_has_no_fields(bench: Bench) -> None:
    async with aclosing(
        bench.service.extract(ExtractionRequest(pdf(PdfPage(told=INVOICE)), "text"))
    ) as events:
        found = [event async for event in events]
    assert isinstance(found[0], ExtractionStart)
    assert isinstance(found[-1], ExtractionComplete)
    assert found[-1].document.fields == ()
