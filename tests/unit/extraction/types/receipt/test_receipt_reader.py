from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from rendering.lines import line, regions
from rendering.reading import TODAY, Reading, read
from rendering.receipts import STYLES, Receipt, random_receipt, receipt_rows
from vidence_server.extraction.domain.document import Verdict
from vidence_server.extraction.types import document_type
from vidence_server.vision.text import TextLine

Row = tuple[str, ...]
HEAD: tuple[Row, ...] = (
    ("LANTERN BOOKS SDN BHD",),
    ("NO. 12, JALAN KENANGA 3/7,",),
    ("47301 PETALING JAYA, SELANGOR",),
    ("Tel: 03-5550 0199",),
    ("TAX INVOICE",),
    ("Date: 04/05/2018", "14:05"),
)


def printed(rows: Sequence[Row]) -> list[TextLine]:
    """Rows below each other; the first piece at the left, the last one ends at the right edge."""
    found: list[TextLine] = []
    for number, row in enumerate(rows):
        for place, text in enumerate(row):
            x = 40.0 if place == 0 else 600 - 10 * len(text) - 120 * (len(row) - 1 - place)
            found.append(line(text, len(found), x=x, y=50 + 30 * number))
    return found


def receipt(*rows: Row, head: Sequence[Row] = HEAD) -> Reading:
    return read("receipt", printed([*head, *rows]))


def rows_of(made: Receipt, style: str) -> list[Row]:
    head: list[Row] = [(made.company,), *((part,) for part in made.address), ("Tel: 03-5550 0199",)]
    body = [tuple(filter(None, row)) for row in receipt_rows(made, style)]
    return [*head, (f"Date: {made.day:%d/%m/%Y}",), *filter(None, body)]


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(8))
def test_made_up_receipts_are_read_to_the_last_position(style: str, seed: int) -> None:
    made = random_receipt(Random(seed))
    reading = read("receipt", printed(rows_of(made, style)))
    values = reading.values()
    assert values["merchant.name"] == made.company
    assert values["merchant.address"] == " ".join(made.address)
    assert values["receipt.date"] == made.day.isoformat()
    assert values["receipt.total"] == f"{made.total:.2f}"
    assert reading.field("receipt.total").validation.verdict is Verdict.VALID
    amounts = [field.value for field in reading.document.fields if field.key == "item.amount"]
    assert amounts == [f"{one.amount:.2f}" for one in made.positions]
    names = [field.value for field in reading.document.fields if field.key == "item.description"]
    assert names == [one.description for one in made.positions]


@pytest.mark.requirement("R-EX1")
def test_the_head_is_told_before_the_receipt_is_read_to_its_end() -> None:
    reader = document_type("receipt").start(TODAY)
    lines = printed([*HEAD, ("TEA",), ("GREEN APPLE", "3.20"), ("Total", "3.20")])
    told = [field.key for read_line in lines[:-2] for field in reader.feed(read_line)]
    assert told == ["merchant.name", "merchant.address", "receipt.date"]
    assert not reader.complete


@pytest.mark.requirement("R-EX3")
def test_the_total_is_proved_by_what_was_given_and_given_back() -> None:
    total = receipt(("Total", "38.80"), ("Cash", "50.00"), ("Change", "11.20")).field("receipt.total")
    assert (total.value, total.validation.verdict) == ("38.80", Verdict.VALID)
    assert total.validation.rule == "receipt.tendered"


def test_what_follows_the_rounding_is_the_total() -> None:
    rows = (("Grand Total", "87.08"), ("Rounding Adjustment", "0.02"), ("Net Total", "87.10"))
    assert receipt(*rows).values()["receipt.total"] == "87.10"


@pytest.mark.parametrize(
    "other",
    [("Sub Total", "90.00"), ("Total Qty", "99.00"), ("Total GST", "95.00"), ("Total Discount", "99.00")],
)
def test_other_sums_are_no_total(other: Row) -> None:
    assert receipt(("TEA LEAVES", "9.00"), ("Total", "9.54"), other).values()["receipt.total"] == "9.54"


@pytest.mark.requirement("R-EX3")
def test_tax_and_currency_are_normalised() -> None:
    values = receipt(("TEA LEAVES", "RM 10.00"), ("GST @ 6%", "0.60"), ("Total", "RM 10.60")).values()
    assert values["receipt.tax"] == "0.60"
    assert values["receipt.currency"] == "MYR"


@pytest.mark.parametrize(
    ("amount", "code"),
    [("€ 9.00", "EUR"), ("$9.00", "USD"), ("₱9.00", "PHP"), ("S$9.00", "SGD"), ("£9.00", "GBP")],
)
@pytest.mark.requirement("R-EX3")
def test_signs_of_currencies_become_codes(amount: str, code: str) -> None:
    head = (("CORAL BAY TRADING LTD",), ("44 Harbour Street",), ("Date: 04/05/2018",))
    assert receipt(("Total", amount), head=head).values()["receipt.currency"] == code


@pytest.mark.requirement("R-EX3")
def test_a_day_that_might_be_a_month_keeps_the_other_reading() -> None:
    day = receipt(("Total", "1.00")).field("receipt.date")
    assert (day.raw_value, day.value) == ("04/05/2018", "2018-05-04")
    assert [other.value for other in day.alternatives] == ["2018-04-05"]


def test_a_name_over_two_rows_is_one() -> None:
    head = (("GREEN VALLEY",), ("STATIONERY SDN BHD",), ("44 Harbour Street",), ("10150 PENANG",))
    centred = [line(text, n, x=300 - 5 * len(text), y=50 + 20 * n) for n, (text,) in enumerate(head)]
    values = read("receipt", centred).values()
    assert values["merchant.name"] == "GREEN VALLEY STATIONERY SDN BHD"
    assert values["merchant.address"] == "44 Harbour Street 10150 PENANG"


def test_stamps_above_the_name_are_left_out() -> None:
    reading = receipt(("Total", "1.00"), head=(("31802016",), *HEAD))
    assert reading.values()["merchant.name"] == "LANTERN BOOKS SDN BHD"


def test_numbers_of_a_registration_are_no_part_of_the_name() -> None:
    head = (("LANTERN BOOKS (KL) SDN BHD (139386 X)",), *HEAD[1:])
    assert receipt(head=head).values()["merchant.name"] == "LANTERN BOOKS (KL) SDN BHD"


@pytest.mark.requirement("R-EX7")
def test_an_empty_page_and_a_page_of_noise_have_no_total() -> None:
    assert read("receipt", []).document.fields == ()
    assert "receipt.total" not in read("receipt", printed([("The sea lay flat",), ("and quiet",)])).values()


def test_every_region_is_read_row_by_row() -> None:
    lines = printed(HEAD)
    assert list(document_type("receipt").reading_order(regions(lines), 700, 900)) == list(range(len(lines)))
