"""Which fields are planned for documents with a machine readable zone, and which of them every one has."""

from __future__ import annotations

import pytest

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.mrz.formats import MRV_A, MRV_B, TD1, TD2, TD3, MrzFormat
from vidence_server.extraction.types.mrz.plan import zone_plan

pytestmark = pytest.mark.requirement("R-EX3")

ALL = [
    "document.code",
    "document.issuer",
    "document.number",
    "person.surname",
    "person.given_names",
    "person.nationality",
    "person.birth_date",
    "person.sex",
    "document.expiry_date",
    "document.optional_data",
]
FORMAT = PlannedField("mrz.format")


def lines(*required: bool) -> list[PlannedField]:
    return [PlannedField("mrz.line", number, needed) for number, needed in enumerate(required, 1)]


def composite(*, required: bool) -> PlannedField:
    return PlannedField("mrz.composite_check", 0, required)


@pytest.mark.parametrize(
    ("formats", "second", "rest"),
    [
        ((TD3,), None, [FORMAT, *lines(True, True), composite(required=True)]),
        ((TD1,), True, [FORMAT, *lines(True, True, True), composite(required=True)]),
        # a card has two lines or three, and other data on the second of three
        ((TD1, TD2), False, [FORMAT, *lines(True, True, False), composite(required=True)]),
        # visas have no digit over the whole zone
        ((MRV_A, MRV_B), None, [FORMAT, *lines(True, True)]),
        ((TD3, MRV_A), None, [FORMAT, *lines(True, True), composite(required=False)]),
    ],
    ids=["passport", "card of three lines", "card", "visa", "either"],
)
def test_fields_that_not_all_formats_have_are_not_required(
    formats: tuple[MrzFormat, ...], second: bool | None, rest: list[PlannedField]
) -> None:
    single = [PlannedField(key, 0, required=True) for key in ALL]
    more = [] if second is None else [PlannedField("document.optional_data_2", 0, required=second)]
    assert zone_plan(formats) == (*single, *more, *rest)
