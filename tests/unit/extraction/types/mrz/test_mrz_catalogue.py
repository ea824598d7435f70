"""What lists say about codes, states and names: verdict, correction and the reason given."""

from __future__ import annotations

import pytest

from vidence_server.extraction.domain.document import NOT_CHECKED, Correction, Validation, Verdict
from vidence_server.extraction.types.mrz.catalogue import Listed, listed
from vidence_server.extraction.types.mrz.formats import TD1, TD3, Content, MrzFormat

pytestmark = pytest.mark.requirement("R-EX3")

KNOWN_CODE = Validation(Verdict.VALID, "icao9303.document_code")
KNOWN_STATE = Validation(Verdict.VALID, "icao9303.country_code")
NO_STATE = Validation(
    Verdict.INVALID, "icao9303.country_code", message="not a code of ISO 3166-1 or ICAO Doc 9303-3"
)


@pytest.mark.parametrize(
    ("read", "mrz_format", "answer"),
    [
        ("P<", TD3, Listed("P<", KNOWN_CODE)),
        ("1D", TD1, Listed("ID", KNOWN_CODE, (Correction(0, "1", "I", "icao9303.document_code"),))),
        # only the first character says which document it is; the second may be anything or unread
        ("P0", TD3, Listed("P0", KNOWN_CODE)),
        ("P?", TD3, Listed("P?", KNOWN_CODE)),
        ("?<", TD3, Listed("?<", NOT_CHECKED)),
        (
            "QP",
            TD1,
            Listed(
                "QP",
                Validation(
                    Verdict.INVALID,
                    "icao9303.document_code",
                    "A|C|I",
                    "Q",
                    "a document of layout TD1 begins with A|C|I",
                ),
            ),
        ),
        # resembles none of the format's letters: the reading stands, digit and all
        (
            "8<",
            TD3,
            Listed(
                "8<",
                Validation(
                    Verdict.INVALID,
                    "icao9303.document_code",
                    "P",
                    "8",
                    "a document of layout TD3 begins with P",
                ),
            ),
        ),
    ],
)
def test_a_document_code_is_one_of_its_format(read: str, mrz_format: MrzFormat, answer: Listed) -> None:
    assert listed(read, Content.CODE, mrz_format) == answer


@pytest.mark.parametrize(
    ("read", "text", "fixes"),
    [
        ("UTO", "UTO", ()),
        ("D<<", "D<<", ()),
        ("UT0", "UTO", ((2, "0", "O"),)),
        ("D<C", "D<<", ((2, "C", "<"),)),
        ("DK<", "D<<", ((1, "K", "<"),)),
        ("0<<", "D<<", ((0, "0", "D"),)),
        ("Q<<", "D<<", ((0, "Q", "D"),)),
    ],
)
def test_a_state_is_corrected_to_a_code_that_exists(
    read: str, text: str, fixes: tuple[tuple[int, str, str], ...]
) -> None:
    changed = tuple(Correction(at, was, now, "icao9303.country_code") for at, was, now in fixes)
    assert listed(read, Content.COUNTRY, TD3) == Listed(text, KNOWN_STATE, changed)


@pytest.mark.parametrize("read", ["XQO", "FR<", "X<<", "0AB", "<<<", "DQX"])
def test_a_state_that_no_list_has_is_not_bent_into_one(read: str) -> None:
    assert listed(read, Content.COUNTRY, TD3) == Listed(read, NO_STATE)


@pytest.mark.parametrize(
    ("read", "content"),
    [("UT?", Content.COUNTRY), ("?<<", Content.COUNTRY), ("L898902C3", Content.NUMBER), ("?", Content.SEX)],
)
def test_nothing_is_said_of_what_was_not_read_or_has_no_list(read: str, content: Content) -> None:
    assert listed(read, content, TD3) == Listed(read, NOT_CHECKED)


@pytest.mark.parametrize("read", ["F", "M", "X", "<"])
def test_a_sex_of_the_standard_is_one(read: str) -> None:
    assert listed(read, Content.SEX, TD3) == Listed(read, Validation(Verdict.VALID, "icao9303.sex"))


def test_what_stands_for_no_sex_is_none() -> None:
    message = "neither F, M nor a filler"
    wrong = Validation(Verdict.INVALID, "icao9303.sex", "F|M|<", "8", message)
    assert listed("8", Content.SEX, TD3) == Listed("8", wrong)


def test_a_letter_among_the_fillers_behind_a_name_is_a_filler_and_the_name_unchecked() -> None:
    fix = Correction(12, "K", "<", "icao9303.name_filler")
    assert listed("OSTERBERG<<<K<<<<", Content.NAMES, TD3) == Listed("OSTERBERG<<<<<<<<", NOT_CHECKED, (fix,))
