"""What leaves the reader when: whole lines and proven fields at once, everything else at the end."""

from __future__ import annotations

import pytest

from rendering.lines import line, zone
from rendering.reading import TODAY
from rendering.specimens import CARD, LOWER, UPPER
from vidence_server.extraction.domain.document import ExtractedField
from vidence_server.extraction.types.mrz.formats import FORMATS, TD1, TD3
from vidence_server.extraction.types.mrz.reader import MrzReader

pytestmark = pytest.mark.requirement("R-EX1")

NAMES = {"person.surname", "person.given_names"}


def keys(fields: list[ExtractedField]) -> set[str]:
    """With the number of the line where there are several."""
    return {f"{field.key} {field.index}" if field.index else field.key for field in fields}


def test_a_line_that_is_not_whole_gives_what_its_check_digits_prove_and_the_rest_at_the_end() -> None:
    reader = MrzReader((TD3,), TODAY)
    proven = {"document.number", "person.birth_date", "document.expiry_date"}
    assert keys(reader.feed(zone((LOWER[:30],))[0])) == proven
    assert not reader.complete
    last = reader.finish()
    assert keys(last) == {
        "mrz.format",
        "mrz.line 2",
        "person.nationality",
        "person.sex",
        "document.optional_data",
    }
    assert {field.key: field.value for field in last}["person.nationality"] == "UTO"


def test_a_field_that_its_check_digit_disproves_waits_for_the_end() -> None:
    reader = MrzReader((TD3,), TODAY)
    reader.feed(line(UPPER, 0))
    second = keys(reader.feed(line(LOWER[:9] + "8" + LOWER[10:30], 1)))
    assert second == {"person.birth_date", "document.expiry_date"}
    assert "document.number" in keys(reader.finish())


def test_names_that_may_go_on_wait_for_the_end() -> None:
    reader = MrzReader((TD3,), TODAY)
    first = keys(reader.feed(line(LOWER, 1, y=424)))
    assert {"mrz.format", "mrz.line 2", "mrz.composite_check", "person.nationality", "person.sex"} <= first
    assert reader.feed(line(UPPER[:25], 0, y=400)) == []
    assert not reader.complete
    assert keys(reader.finish()) == {"mrz.line 1", "document.code", "document.issuer", *NAMES}


def test_each_line_of_a_card_gives_its_fields_when_it_comes() -> None:
    reader = MrzReader((TD1,), TODAY)
    upper, middle, lower = zone(CARD)
    of_upper = {"document.code", "document.issuer", "document.number", "document.optional_data"}
    of_middle = {
        "person.birth_date",
        "person.sex",
        "document.expiry_date",
        "person.nationality",
        "document.optional_data_2",
        "mrz.composite_check",
    }
    assert keys(reader.feed(upper)) == {"mrz.format", "mrz.line 1", *of_upper}
    assert keys(reader.feed(middle)) == {"mrz.line 2", *of_middle}
    before = reader.complete
    assert keys(reader.feed(lower)) == {"mrz.line 3", *NAMES}
    assert (before, reader.complete) == (False, True)
    assert reader.finish() == []


def test_a_cards_names_wait_for_their_own_line() -> None:
    reader = MrzReader((TD1,), TODAY)
    upper, middle, _ = zone(CARD)
    names = line("ERIKSSON<BERGSTROM<<ANNA<MARIA"[:24], 2)
    given = keys([*reader.feed(upper), *reader.feed(middle), *reader.feed(names)])
    assert "document.number" in given
    assert not given & NAMES
    assert keys(reader.finish()) == {"mrz.line 3", *NAMES}


def test_lines_beside_a_zone_give_nothing_and_take_nothing_away() -> None:
    reader = MrzReader(FORMATS, TODAY)
    assert reader.feed(line("REPUBLIC OF UTOPIA", 0, y=60)) == []
    assert reader.feed(line("", 1, y=90)) == []
    assert (reader.complete, reader.finish()) == (False, [])
    upper, lower = zone((UPPER, LOWER), first=2)
    given = keys([*reader.feed(upper), *reader.feed(lower)])
    assert {"mrz.format", "mrz.line 1", "mrz.line 2", "document.number", *NAMES} <= given
    assert reader.feed(line("Signature of bearer", 4, y=300)) == []
    assert reader.feed(line("", 5, y=330)) == []
    assert (reader.complete, reader.finish()) == (True, [])


def test_the_best_of_several_formats_is_taken() -> None:
    reader = MrzReader(FORMATS, TODAY)
    fields = [field for told in zone((UPPER, LOWER)) for field in reader.feed(told)]
    assert [field.value for field in fields if field.key == "mrz.format"] == ["TD3"]


def test_what_a_later_line_disproves_is_taken_back() -> None:
    # a surplus line in the zone's alphabet is taken for the upper line until the upper line itself comes
    reader = MrzReader((TD3,), TODAY)
    lower = line(LOWER, 1, y=424)
    stray = line("P<UTOERIKSSON<<ANNA<MAR1A<<<<<<<<<<<<<<<<<<<", 0, y=400)
    reader.feed(lower)
    first = {field.key: field for field in reader.feed(stray)}
    assert first["person.given_names"].value == ""
    again = {field.key: field for field in reader.feed(line(UPPER, 2, y=402))}
    assert (again["person.given_names"].value, again["person.given_names"].revision) == ("ANNA MARIA", 2)
