"""What a PDF says beside what it shows."""

from __future__ import annotations

import numpy as np
import pytest

from rendering.lines import box
from rendering.pdfs import PdfPage, pdf
from vidence_server.vision import pdf_text
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.geometry import Quad
from vidence_server.vision.text import TextRegion
from vidence_server.vision.text_layer import TextLayer, agrees, to_check

LINES = ["Harbour Light Hardware", "Paint brush (2 inch)", "Total 17.30 €"]
PX = 200 / 72


def region_of(row: int) -> TextRegion:
    """Where `rendering.pdfs` puts a line, at 200 dots per inch."""
    baseline = (80 + 30 * row) * PX
    return TextRegion(box(56 * PX, baseline - 17 * PX, 300 * PX, 22 * PX), 0.9)


def layer_of(page: PdfPage) -> TextLayer:
    layer = ImageDecoder(ImageLimits()).decode(pdf(page)).layer
    assert layer is not None
    return layer


@pytest.mark.requirement("R-EX1")
@pytest.mark.parametrize("page", [PdfPage(LINES), PdfPage(told=LINES)])
def test_characters_stand_in_the_lines_that_are_seen(page: PdfPage) -> None:
    found = layer_of(page).lines([region_of(row) for row in range(3)])
    assert [found[row].text for row in range(3)] == LINES
    for line in found.values():
        positions = [one.position for one in line.characters]
        assert positions == sorted(positions)
        assert "".join(one.text for one in line.characters) == line.text


@pytest.mark.requirement("R-EX1")
def test_a_turned_page_has_its_text_where_it_is_drawn() -> None:
    image = ImageDecoder(ImageLimits()).decode(pdf(PdfPage(LINES, turn_degrees=180)))
    assert image.layer is not None
    first = region_of(0).quad
    turned = Quad(
        *(
            type(corner)(image.width_px - corner.x, image.height_px - corner.y)
            for corner in (first.top_left, first.top_right, first.bottom_right, first.bottom_left)
        )
    )
    assert image.layer.lines([TextRegion(turned, 0.9)])[0].text == LINES[0]


def test_regions_without_text_and_pages_without_any_get_none() -> None:
    assert layer_of(PdfPage(LINES)).lines([region_of(20)]) == {}
    assert ImageDecoder(ImageLimits()).decode(pdf(PdfPage())).layer is None


@pytest.mark.requirement("R-EX7")
def test_a_page_of_too_many_characters_has_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "MAX_CHARACTERS", 20)
    assert ImageDecoder(ImageLimits()).decode(pdf(PdfPage(LINES))).layer is None
    assert ImageDecoder(ImageLimits()).decode(pdf(PdfPage(["Short"]))).layer is not None


@pytest.mark.requirement("R-EX1")
def test_the_text_is_that_of_the_page_that_was_asked_for() -> None:
    image = ImageDecoder(ImageLimits()).decode(pdf(PdfPage(["First"]), PdfPage(["Second"])), pdf_page=2)
    assert image.layer is not None
    assert image.layer.characters == "Second"


def test_gaps_are_spaces_where_the_file_has_none() -> None:
    layer = TextLayer(
        "ABCD",
        np.array([(10, 10), (20, 10), (60, 10), (70, 10)], np.float32),
        np.full(4, 8, np.float32),
        np.zeros(4, np.bool_),
    )
    assert layer.lines([TextRegion(box(5, 0, 70, 20), 0.9)])[0].text == "AB CD"


@pytest.mark.requirement("R-EX1")
def test_lines_agree_but_for_what_print_and_file_may_differ_in() -> None:
    assert agrees(["Total  17.30", "ﬁnal offer"], ["TOTAL 17.30", "final offor"])
    assert not agrees(["Total 17.30", "Thank you"], ["Total 17.30", "Lies here"])
    assert not agrees(["Total 17.80", "To 12 Harbour"], ["Total 17.30", "To 12 Harbour"])
    assert not agrees([], [])


def test_checked_lines_are_some_that_are_read_and_others_all_over_the_page() -> None:
    lines = layer_of(PdfPage([f"Line number {row}" for row in range(20)])).lines(
        [region_of(row) for row in range(20)]
    )
    assert to_check(lines, [4, 5, 6, 7], 6) == [4, 5, 6, 0, 11, 19]
    assert to_check({}, [], 6) == []
    assert to_check({3: lines[3]}, [], 6) == [3]
