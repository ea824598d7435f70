from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.extraction.types.receipt.amounts import amounts_of, last_amount
from vidence_server.extraction.types.written_dates import dates_of

TODAY = date(2026, 1, 15)


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("RM 38.80", ["38.80"]),
        ("RMO.08", ["0.08"]),
        ("1,234.50", ["1234.50"]),
        ("1.234,50", ["1234.50"]),
        ("-20.00", ["-20.00"]),
        ("(3.00)", ["-3.00"]),
        ("3.20 3.20 ZRL", ["3.20", "3.20"]),
        ("327 00", ["327.00"]),
        ("1 X 29.90", ["29.90"]),
        ("GST 6.00%", []),
        ("2018", []),
        ("11/01/2019", []),
        ("13:34:14", []),
        ("03-7845 8155", []),
        ("", []),
    ],
)
def test_amounts_are_found_in_what_tills_print(text: str, values: list[str]) -> None:
    assert [str(found.value) for found in amounts_of(text)] == values


@given(st.decimals(0, 9_999_999, places=2))
def test_every_amount_is_read_back(value: Decimal) -> None:
    for text in (f"{value:.2f}", f"Total {value:,.2f}", f"RM{value:.2f}"):
        found = last_amount(text)
        assert found is not None
        assert found.value == value
        assert found.text == f"{value:.2f}"


@pytest.mark.requirement("R-EX2")
@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Date: 11/01/2019", "2019-01-11"),
        ("28-03-18 18:05", "2018-03-28"),
        ("2018/02/22 13:34", "2018-02-22"),
        ("15/Apr/2017", "2017-04-15"),
        ("29 November, 2017", "2017-11-29"),
        ("Nov 29, 2017", "2017-11-29"),
        ("12 ENE 2020", "2020-01-12"),
        ("12/25/2019", "2019-12-25"),
        ("20180304", "2018-03-04"),
        ("31.12.2019", "2019-12-31"),
    ],
)
def test_days_are_found_however_they_are_written(text: str, day: str) -> None:
    assert next(dates_of(text, TODAY)).day.isoformat() == day


@pytest.mark.parametrize(
    "text", ["192.168.1.1", "31/02/2019", "0111-558 0000", "1851-A", "20991231", "99/99/9999"]
)
def test_other_numbers_are_no_days(text: str) -> None:
    assert not list(dates_of(text, TODAY))


@pytest.mark.requirement("R-EX3")
def test_a_day_that_may_be_a_month_says_so() -> None:
    found = next(dates_of("03/04/2018", TODAY))
    assert (found.day, found.other) == (date(2018, 4, 3), date(2018, 3, 4))
    assert next(dates_of("13/04/2018", TODAY)).other is None


@given(st.dates(date(1990, 1, 1), TODAY))
def test_every_day_is_read_back(day: date) -> None:
    assert next(dates_of(f"{day:%d/%m/%Y}", TODAY)).day == day
    assert next(dates_of(day.isoformat(), TODAY)).day == day
