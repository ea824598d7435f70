"""Repair of misread characters, where a check digit proves it and nothing else explains it as well.

The search is small on purpose: one or two characters are exchanged for what they resemble or what the
recogniser itself considered. A check digit lets one in ten wrong values through, so every further try makes a
false proof likelier; where two repairs satisfy the check and neither is clearly likelier, none is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from vidence_server.extraction.domain.document import Correction
from vidence_server.extraction.types.mrz.check_digit import check_digit
from vidence_server.extraction.types.mrz.confusions import ALIKE, LIKE_FILLER, USUAL, as_digits
from vidence_server.extraction.types.mrz.formats import CharacterClass
from vidence_server.extraction.types.mrz.glyphs import Glyph

CHECK_DIGIT_RULE = "icao9303.check_digit"
COMPOSITE_RULE = "icao9303.composite_check_digit"
LEAST_PROBABILITY = 0.01
"""What the recogniser gives less is no alternative; a character that looks alike has at least this."""
USUAL_PROBABILITY = 0.1
"""Of the usual confusions (`confusions.USUAL`), however sure the recogniser is."""
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
        return [Repair(base, 0, 1.0)]
    options = [_options(glyph, base, place, characters) for place, glyph in enumerate(glyphs)]
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
    """The repair that stands alone, or that the recogniser itself thinks clearly likelier than all others.

    None where there is a choice: that a character resembles another is no reason to prefer it.
    """
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    first, second = found[0].probability, found[1].probability
    return found[0] if first > USUAL_PROBABILITY and first >= CLEARLY_LIKELIER * second else None


def corrections(read: str, corrected: str, proof: str) -> tuple[Correction, ...]:
    """The places where two values of the same length differ."""
    return tuple(
        Correction(place, was, now, proof)
        for place, (was, now) in enumerate(zip(read, corrected, strict=True))
        if was != now
    )


def agrees(text: str, digit: str) -> bool:
    """Whether `digit` is the check digit of `text`."""
    return bool(digit) and check_digit(text) == digit


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


def _options(
    glyph: Glyph | None, text: str, place: int, characters: CharacterClass
) -> tuple[tuple[str, float], ...]:
    """What the character at `place` may be instead, with probabilities."""
    if glyph is None:
        return ()
    now = text[place]
    likely = {
        read_as(other, characters): probability
        for other, probability in glyph.alternatives
        if probability >= LEAST_PROBABILITY
    }
    if characters is not CharacterClass.DIGIT:
        for other in ALIKE.get(now, ""):
            floor = USUAL_PROBABILITY if (now, other) in USUAL else LEAST_PROBABILITY
            likely[other] = max(floor, likely.get(other, 0.0))
        if now in LIKE_FILLER and not text[place + 1 :].strip("<"):
            likely.setdefault("<", LEAST_PROBABILITY)
    allowed = {
        other: probability
        for other, probability in likely.items()
        if other != now and (characters is not CharacterClass.DIGIT or other.isdigit())
    }
    return tuple(sorted(allowed.items(), key=lambda item: -item[1])[:_MOST_OPTIONS])


def _suspects(glyphs: Sequence[Glyph | None], options: Sequence[tuple[tuple[str, float], ...]]) -> list[int]:
    """Places that may have been misread: not much surer than the least sure character."""
    least = min((glyph.confidence for glyph in glyphs if glyph is not None), default=0.0)
    return [
        place
        for place, glyph in enumerate(glyphs)
        if glyph is not None and options[place] and glyph.confidence <= least + _SURER
    ]


def _exchanged(
    base: str, options: Sequence[tuple[tuple[str, float], ...]], suspects: Sequence[int], count: int
) -> Iterator[Repair]:
    for places in combinations(suspects, count):
        for choice in product(*(options[place] for place in places)):
            characters = list(base)
            probability = 1.0
            for place, (char, likely) in zip(places, choice, strict=True):
                characters[place] = char
                probability *= likely
            if count == 1 or _credible_together(base, places, choice):
                yield Repair("".join(characters), count, probability)


def _credible_together(base: str, places: Sequence[int], choice: Sequence[tuple[str, float]]) -> bool:
    """Whether several exchanges are the same mistake made again, or all seen by the recogniser itself."""
    same = len({(base[place], char) for place, (char, _) in zip(places, choice, strict=True)}) == 1
    return same or all(likely > LEAST_PROBABILITY for _, likely in choice)
