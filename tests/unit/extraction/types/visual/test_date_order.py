"""The twelfth is a day that may be a month; the thirteenth is not."""

from __future__ import annotations

import pytest

from vidence_server.extraction.types.visual.date_order import month_first

pytestmark = pytest.mark.requirement("R-EX3")


@pytest.mark.parametrize(
    ("written", "elsewhere", "in_the_united_states"),
    [
        ("05/12/2021", False, True),
        ("12/05/2021", False, True),
        ("12/12/2021", False, True),
        ("13/12/2021", False, False),
        ("12/13/2021", True, True),
        ("31-12-21", False, False),
        ("12.31.21", True, True),
    ],
)
def test_only_a_number_that_is_no_month_shows_which_is_the_day(
    written: str, elsewhere: bool, in_the_united_states: bool
) -> None:
    assert month_first([written]) is elsewhere
    assert month_first([written, "United States of America"]) is in_the_united_states
