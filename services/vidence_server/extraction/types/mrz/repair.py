"""Repair of misread characters, where a check digit proves it and nothing else explains it as well.

The search is small on purpose, because a check digit lets one in ten wrong values through and every further
try makes a false proof likelier. One or two characters, among the least sure ones, are exchanged. Only what
the recogniser itself considered is ever put in their place; what they merely resemble is tried too, but just
to know whether the check digit has another explanation. Where it has, and the recogniser does not think one
clearly likelier, nothing is changed. A recogniser that tells no alternatives gets no repairs of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

from vidence_server.extraction.domain.document import Correction
from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.confusions import ALIKE, USUAL, as_digits
from vidence_server.extraction.types.mrz.formats import CharacterClass
from vidence_server.extraction.types.mrz.glyphs import Glyph

CHECK_DIGIT_RULE = "icao9303.check_digit"
COMPOSITE_RULE = "icao9303.composite_check_digit"
LEAST_PROBABILITY = 0.01
"""What the recogniser gives less is no alternative, but for the usual confusions (`confusions.USUAL`): there
it is wrong while it is sure. A character that merely looks alike counts as this likely."""
CLEARLY_LIKELIER = 8.0
"""How many times likelier than any other a repair must be to be the only explanation."""
MOST_EXCHANGED = 2
"""Characters exchanged in one field; letters where only digits can be do not count."""
_MOST_OPTIONS = 4  # per character
_SURER = 0.3  # a character this much surer than the least sure one is not the one that was misread


@dataclass(frozen=True, slots=True)
class Repair:
    """A value that satisfies its check, and how likely the recogniser thinks it."""

    text: str
    exchanged: int
    """How many characters differ from what was read, letters for digits not counted."""
    probability: float
    seen: bool
    """Whether the recogniser considered every exchanged character."""


@dataclass(frozen=True, slots=True)
class _Option:
    """Another character for one place."""

    char: str
    probability: float
    seen: bool


def read_as(text: str, characters: CharacterClass) -> str:
    """`text` with letters read as the digits they resemble, where only digits can be."""
    return as_digits(text) if characters is CharacterClass.DIGIT else text


def repairs(
    glyphs: Sequence[Glyph | None],
    text: str,
    characters: CharacterClass,
    holds: Callable[[str], bool],
) -> list[Repair]:
    """The values that `holds`, with as few exchanged characters as possible.

    Args:
        glyphs: what was read, one per character of `text`; None where a filler was added.
        text: the value as read.
        characters: what the field may hold.
        holds: whether a value agrees with its check digit and is possible.

    Returns:
        The value itself where it holds; else all that hold with one exchanged character; else with two.
        Empty where there are none. Likeliest first; `the_one` tells whether the first is proven.
    """
    base = read_as(text, characters)
    if holds(base):
        return [Repair(base, 0, 1.0, seen=True)]
    options = [_options(glyph, now, characters) for glyph, now in zip(glyphs, base, strict=True)]
    suspects = _suspects(glyphs, options)
    for count in range(1, MOST_EXCHANGED + 1):
        found = {
            candidate.text: candidate
            for candidate in _exchanged(base, options, suspects, count)
            if holds(candidate.text)
        }
        if found:
            return sorted(found.values(), key=lambda repair: -repair.probability)
    return []


def the_one(found: Sequence[Repair]) -> Repair | None:
    """The repair that alone satisfies the check, or that the recogniser thinks clearly likelier than others.

    None where there is a choice, and where nothing but resemblance speaks for it.
    """
    if not found:
        return None
    first = found[0]
    alone = len(found) == 1 or first.probability >= CLEARLY_LIKELIER * found[1].probability
    return first if alone and first.seen else None


def corrections(read: str, corrected: str, proof: str) -> tuple[Correction, ...]:
    """The places where two values of the same length differ."""
    return tuple(
        Correction(place, was, now, proof)
        for place, (was, now) in enumerate(zip(read, corrected, strict=True))
        if was != now
    )


def agrees(text: str, digit: str) -> bool:
    """Whether `digit` is the check digit of `text`."""
    return check_digit(text) == digit


def check_digit_misread(own_mismatch: int, composite_mismatch: int, at: int, length: int, cover: int) -> bool:
    """Whether only a misread check digit, and no single misread character of its value, explains both checks.

    A wrong character changes a field's own check and the composite check by amounts whose ratio follows from
    its weights; so does a wrong check digit, with another ratio. Where some character of the value would
    explain both mismatches too, nothing is proven.

    Args:
        own_mismatch: computed less read check digit of the field, modulo 10; not 0.
        composite_mismatch: computed less read composite digit, modulo 10.
        at: where the field begins among the characters that the composite digit covers.
        length: characters of the value.
        cover: where its check digit stands among those characters.
    """
    weights = (7, 3, 1)
    if (weights[cover % 3] * -own_mismatch) % 10 != composite_mismatch:
        return False
    return not any(
        (weights[place % 3] * change) % 10 == own_mismatch
        and (weights[(at + place) % 3] * change) % 10 == composite_mismatch
        for place, change in product(range(min(3, length)), range(1, 10))
    )


def _options(glyph: Glyph | None, now: str, characters: CharacterClass) -> tuple[_Option, ...]:
    """What the character `now` may be instead, likeliest first."""
    if glyph is None:
        return ()
    digits = characters is CharacterClass.DIGIT
    options: dict[str, _Option] = {}
    for read, probability in glyph.alternatives:
        other = read_as(read, characters)
        likely = probability >= LEAST_PROBABILITY or (now, other) in USUAL
        if likely and other != now and other not in options and (other.isdigit() or not digits):
            options[other] = _Option(other, probability, seen=True)
    for other in "" if digits else ALIKE.get(now, ""):
        options.setdefault(other, _Option(other, LEAST_PROBABILITY, seen=False))
    return tuple(sorted(options.values(), key=lambda option: -option.probability)[:_MOST_OPTIONS])


def _suspects(glyphs: Sequence[Glyph | None], options: Sequence[Sequence[_Option]]) -> list[int]:
    """Places that may have been misread: not much surer than the least sure character."""
    least = min((glyph.confidence for glyph in glyphs if glyph is not None), default=0.0)
    return [
        place
        for place, glyph in enumerate(glyphs)
        if glyph is not None and options[place] and glyph.confidence <= least + _SURER
    ]


def _exchanged(
    base: str, options: Sequence[Sequence[_Option]], suspects: Sequence[int], count: int
) -> Iterator[Repair]:
    """Values with `count` characters exchanged; several only where the recogniser considered them all."""
    for places in combinations(suspects, count):
        for choice in product(*(options[place] for place in places)):
            seen = all(option.seen for option in choice)
            if count > 1 and not seen:
                continue
            exchanged = {place: option.char for place, option in zip(places, choice, strict=True)}
            text = "".join(exchanged.get(place, char) for place, char in enumerate(base))
            yield Repair(text, count, prod(option.probability for option in choice), seen)
