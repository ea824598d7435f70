"""What lists and layouts prove about fields that no check digit covers: states, document codes, fillers."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.extraction.domain.document import NOT_CHECKED, Correction, Validation, Verdict
from vidence_server.extraction.types.mrz.confusions import LETTER_FOR_DIGIT, as_letters
from vidence_server.extraction.types.mrz.countries import GERMANY, country
from vidence_server.extraction.types.mrz.formats import Content, MrzFormat
from vidence_server.extraction.types.mrz.names import without_false_fillers
from vidence_server.extraction.types.mrz.repair import corrections
from vidence_server.extraction.types.mrz.score import MISSING

COUNTRY_RULE = "icao9303.country_code"
CODE_RULE = "icao9303.document_code"
SEX_RULE = "icao9303.sex"
NAME_FILLER_RULE = "icao9303.name_filler"

SEXES = {"M": "M", "F": "F", "X": "X", "<": "X"}
"""What stands for a sex, and the sex."""
_LIKE_GERMANY = "0OQ"  # what a lone D is read as


@dataclass(frozen=True, slots=True)
class Listed:
    """A field's characters as its list proves them."""

    text: str
    validation: Validation
    corrections: tuple[Correction, ...] = ()


def listed(read: str, content: Content, mrz_format: MrzFormat) -> Listed:
    """Looks up what was `read`; unchanged and not checked where no list covers the content."""
    match content:
        case Content.CODE:
            return _code(read, mrz_format)
        case Content.COUNTRY:
            return _country(read)
        case Content.SEX:
            return Listed(read, _sex(read))
        case Content.NAMES:
            text = without_false_fillers(read)
            return Listed(text, NOT_CHECKED, corrections(read, text, NAME_FILLER_RULE))
        case _:
            return Listed(read, NOT_CHECKED)


def _sex(read: str) -> Validation:
    if read == MISSING:
        return NOT_CHECKED
    if read in SEXES:
        return Validation(Verdict.VALID, SEX_RULE)
    return Validation(Verdict.INVALID, SEX_RULE, "F|M|<", read, "neither F, M nor a filler")


def _code(read: str, mrz_format: MrzFormat) -> Listed:
    if read[0] == MISSING:
        return Listed(read, NOT_CHECKED)
    expected = "|".join(sorted(mrz_format.codes))
    first = LETTER_FOR_DIGIT.get(read[0], read[0])
    if first not in mrz_format.codes:
        message = f"a document of layout {mrz_format.name} begins with {expected}"
        return Listed(read, Validation(Verdict.INVALID, CODE_RULE, expected, read[0], message))
    text = first + read[1:]
    return Listed(text, Validation(Verdict.VALID, CODE_RULE), corrections(read, text, CODE_RULE))


def _country(read: str) -> Listed:
    """Digits for letters are corrected where that gives a code, letters for fillers where Germany's."""
    if MISSING in read:
        return Listed(read, NOT_CHECKED)
    # the only code of one letter: with a D or what resembles it in front, the rest can only be fillers
    certain = read[0] == GERMANY[0] and "<" in read
    resembling = read[0] in _LIKE_GERMANY and read[1:] == GERMANY[1:]
    one_letter = GERMANY if certain or resembling else read
    for text in (read, as_letters(read), one_letter):
        if country(text):
            validation = Validation(Verdict.VALID, COUNTRY_RULE)
            return Listed(text, validation, corrections(read, text, COUNTRY_RULE))
    message = "not a code of ISO 3166-1 or ICAO Doc 9303-3"
    return Listed(read, Validation(Verdict.INVALID, COUNTRY_RULE, message=message))
