"""Values of a licence's front: what may stand behind each label, where it stands, what makes a licence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rendering.lines import CHARACTER_PX, line, regions
from rendering.reading import Reading, read
from vidence_server.extraction.types import document_type
from vidence_server.extraction.types.detect import LEAST_LIKENESS, SURE_LIKENESS
from vidence_server.vision.text import TextLine

pytestmark = pytest.mark.requirement("R-EX2", "R-EX3")

LEFT = 100.0
NUMBERED = ["1. ALDERSEN", "2. GRETA", "3. 07.03.1991", "5. B072RRE2I55"]


def written(texts: Sequence[str]) -> list[TextLine]:
    return [line(text, index, x=LEFT, y=100 + 24 * index) for index, text in enumerate(texts)]


def front(*texts: str) -> Reading:
    return read("driving_licence", written(["DRIVER LICENSE", *texts]))


def likeness(*texts: str) -> float:
    return document_type("driving_licence").likeness(written(texts), ())


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("9 CLASS D.", "licence.class", "D"),
        ("9 CLASS d", "licence.class", "D"),
        ("9 CLASS 5", "licence.class", "5"),
        ("9 CLASS NONE", "licence.class", ""),
        ("9a END M", "licence.endorsements", "M"),
        ("9a END None", "licence.endorsements", ""),
        ("12 RESTR X", "licence.restrictions", "X"),
        ("12 RESTR b", "licence.restrictions", "B"),
        ("12 RESTR 1", "licence.restrictions", "1"),
        ("12 RESTR NONE", "licence.restrictions", ""),
        ("18 EYES Brn", "person.eye_colour", "BRN"),
        ("18 EYES B1U", "person.eye_colour", ""),
        ("18 EYES GREENISH", "person.eye_colour", ""),
        ("19 HAIR bro", "person.hair_colour", "BRO"),
        ("19 HAIR 12", "person.hair_colour", ""),
        ("19 HAIR BR", "person.hair_colour", ""),
        ("5 DD 2509UN 6813-3000", "document.discriminator", "2509UN68133000"),
        ("5 DD 2509un", "document.discriminator", "2509un"),
        ("5 DD NONE", "document.discriminator", ""),
        ("16 HGT 5'-11\"", "person.height_cm", "180"),
        ("16 HGT 5'-12\"", "person.height_cm", ""),
        ("16 HGT 175 CM", "person.height_cm", "175"),
        ("16 HGT 175 cm.", "person.height_cm", "175"),
        ("16 HGT 1,71 M", "person.height_cm", "171"),
        ("17 WGT 154 LBS", "person.weight_kg", "70"),
        ("17 WGT 154 lb", "person.weight_kg", "70"),
        ("17 WGT 070 KG", "person.weight_kg", "70"),
        ("17 WGT 70 kg.", "person.weight_kg", "70"),
        ("17 WGT HEAVY", "person.weight_kg", ""),
    ],
)
def test_a_label_takes_only_a_value_that_fits_it(text: str, key: str, value: str) -> None:
    assert front(text).values().get(key, "") == value


def test_four_numbers_show_that_numbers_are_labels_and_three_do_not() -> None:
    four = front(*NUMBERED).values()
    assert (four["person.surname"], four["document.number"]) == ("ALDERSEN", "B072RRE2I55")
    assert front(*NUMBERED[:3]).values() == {}


def test_a_title_over_four_numbers_is_enough_to_be_taken_for_a_licence() -> None:
    assert SURE_LIKENESS <= likeness("DRIVING LICENCE", *NUMBERED) < 1
    assert likeness("DRIVING LICENCE", *NUMBERED, "4b. 05.08.2031") < 1
    assert likeness("DRIVING LICENCE", *NUMBERED) < likeness("DRIVING LICENCE", *NUMBERED, "4b. 05.08.2031")


@pytest.mark.parametrize(
    "texts",
    [
        ("DRIVING LICENCE", *NUMBERED[:3]),
        ("DRIVING LICENCE",),
        ("HOW TO BAKE A CAKE", *NUMBERED),
        ("MEMBERSHIP", "Surname ROOK", "Given names NILO", "Date of birth 07/03/1991", "Sex M"),
    ],
    ids=("too few numbers", "a title alone", "numbers without a title", "labels without a title"),
)
def test_neither_a_title_nor_numbers_alone_make_a_licence(texts: tuple[str, ...]) -> None:
    assert likeness(*texts) == 0


def test_labels_under_a_title_make_a_licence() -> None:
    labelled = ("Surname ROOK", "Given names NILO", "Date of birth 07/03/1991")
    assert LEAST_LIKENESS <= likeness("DRIVER LICENSE", *labelled) < 1


SEX, EYES = ("person.sex", "F", "F"), ("person.eye_colour", "GRN", "GRN")
HEIGHT = ("person.height_cm", "5'-06\"", "168")


@pytest.mark.parametrize(
    ("row", "elements"),
    [
        ("SEX F EYES GRN", (SEX, EYES)),
        ("15 SEX F 18 EYES GRN", (SEX, EYES)),
        ("SEX F HGT 5'-06\" EYES GRN", (SEX, HEIGHT, EYES)),
    ],
)
def test_elements_of_one_row_are_read_each_in_its_place(
    row: str, elements: tuple[tuple[str, str, str], ...]
) -> None:
    reading = front(row)
    assert reading.values().keys() == {key for key, _, _ in elements}
    for key, raw, value in elements:
        field = reading.field(key)
        assert (field.raw_value, field.value, field.confidence) == (raw, value, 0.95)
        start = LEFT + CHARACTER_PX * row.index(f" {raw}") + CHARACTER_PX
        assert field.quad is not None
        left, right = field.quad.top_left.x, field.quad.top_right.x
        assert left == pytest.approx(start, abs=CHARACTER_PX)
        assert right == pytest.approx(start + CHARACTER_PX * len(raw), abs=CHARACTER_PX)


@pytest.mark.parametrize(
    ("written_street", "street"),
    [
        ("12 HARBOUR STREET", "12 HARBOUR STREET"),
        ("12 HARBOUR STREET,", "12 HARBOUR STREET"),
        ("4 LUX", "4 LUX"),
    ],
)
def test_an_address_below_its_label_is_parted(written_street: str, street: str) -> None:
    texts = ["DRIVER LICENSE", "Address", written_street, "ST. PAUL, OH 43215-1234"]
    title, label, above, place = written(texts)
    lines = [title, label, replace(above, confidence=0.7), replace(place, confidence=0.8)]
    reading = read("driving_licence", lines)
    whole = reading.field("address.street")
    assert (whole.value, whole.confidence, whole.quad) == (street, 0.7, above.quad)
    assert whole.raw_value.startswith(written_street)
    for key, value in (
        ("address.city", "ST. PAUL"),
        ("address.region", "OH"),
        ("address.postal_code", "43215-1234"),
    ):
        field = reading.field(key)
        assert (field.value, field.raw_value) == (value, "ST. PAUL, OH 43215-1234")
        assert (field.confidence, field.quad) == (0.8, place.quad)


def test_an_address_in_one_line_is_a_street() -> None:
    reading = front("8 ADD 12 HARBOUR STREET UTOPIA")
    assert reading.values() == {"address.street": "12 HARBOUR STREET UTOPIA"}
    assert reading.field("address.street").raw_value == "12 HARBOUR STREET UTOPIA"


def test_a_number_that_lost_its_space_keeps_the_place_of_its_line() -> None:
    glued = ["DRIVING LICENCE", "1.ALDERSEN", "2.GRETA", "3.20.01.1933", "5.C2861894"]
    lines = [replace(one, confidence=0.5 + one.index / 10) for one in written(glued)]
    reading = read("driving_licence", lines)
    birth = reading.field("person.birth_date")
    assert (birth.value, birth.confidence) == ("1933-01-20", lines[3].confidence)
    assert birth.quad is not None
    assert (birth.quad.top_left.y, birth.quad.top_right.x) == (
        lines[3].quad.top_left.y,
        lines[3].quad.top_right.x,
    )


def test_every_line_of_a_front_is_read_from_the_top() -> None:
    lines = written(["DRIVER LICENSE", "1 ROOK", "2 NILO"])
    order = document_type("driving_licence").reading_order(regions(lines), 1000, 800)
    assert list(order) == [0, 1, 2]
