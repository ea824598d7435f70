"""The renderer that tests, evaluation and the committed samples share."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from rendering import fonts
from rendering.degrade import Degradation, degrade, random_degradation
from rendering.documents import render_document
from rendering.pages import render_page
from rendering.people import random_person
from rendering.reading import TODAY
from rendering.zones import FORMATS

SAMPLES = Path(__file__).parents[3] / "examples" / "samples"
needs_ocr_b = pytest.mark.skipif(not fonts.OCR_B.exists(), reason=fonts.OCR_B_MISSING)


@needs_ocr_b
@pytest.mark.parametrize("layout", FORMATS)
def test_a_document_is_rendered_with_its_truth(layout: str) -> None:
    rendered = render_document(random_person(Random(1), TODAY), layout, px_per_mm=4)
    assert rendered.image.width > rendered.image.height > 100
    assert len({len(line) for line in rendered.lines}) == 1
    assert rendered.fields["document.number"] in "".join(rendered.lines)


def test_degradation_repeats_itself() -> None:
    page = render_page(("Heading", "", "One line")).image.resize((124, 100))
    chosen = random_degradation(Random(4))
    assert random_degradation(Random(4)) == chosen
    assert degrade(page, chosen, 1) == degrade(page, chosen, 1)
    assert degrade(page, Degradation(noise=5), 1) != degrade(page, Degradation(noise=5), 2)


def test_a_tilted_picture_grows_and_stays_a_jpeg() -> None:
    page = Image.new("RGB", (200, 100), "white")
    tilted = Image.open(io.BytesIO(degrade(page, Degradation(tilt_degrees=5), 0)))
    assert (tilted.format, tilted.mode) == ("JPEG", "RGB")
    assert tilted.width > 200


def test_a_missing_font_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "OCR_B", Path("/nowhere/OCRB.otf"))
    fonts.zone_font.cache_clear()
    with pytest.raises(fonts.FontMissingError, match="fonts-ocr-b"):
        fonts.zone_font(20)


@pytest.mark.requirement("R-OP1")
@pytest.mark.parametrize("name", ["passport.jpg", "visa.jpg", "id-card.jpg", "page.png"])
def test_the_committed_samples_are_small_pictures(name: str) -> None:
    assert (SAMPLES / name).stat().st_size < 300_000
    with Image.open(SAMPLES / name) as sample:
        sample.load()
        assert min(sample.size) > 600
