"""A catalogue of card names that finds what a misread or cut-off text was meant to be.

Names are compared by their letters and digits only, folded so that characters which recognisers mix up
count as equal. A trigram index picks the few names that are worth an edit distance (Levenshtein), so that a
look-up among 30,000 names takes well under a millisecond.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

_ALIKE = str.maketrans("l1|0q58692", "iiioosbggz")
"""Characters that recognisers take for each other, as one representative each."""
_PAIRS = (("rn", "m"), ("vv", "w"))
_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l"})
_FOLDED_COST = 0.15
"""Share of an edit that a difference costs which folding removes."""
_SPELLING_COST = 0.01
"""What it costs that spaces, accents or punctuation differ; it parts names that differ in nothing else."""
_LOOK_CLOSER = 40
"""Names per look-up that get an edit distance."""
_LEAST_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Card:
    """A card as a catalogue lists it."""

    name: str
    """Its full name; the faces of a card with several are joined by ` // `."""
    printings: tuple[tuple[str, str], ...] = ()
    """Set code (capitals) and collector number of each known printing."""


@dataclass(frozen=True, slots=True)
class Match:
    """A name that a text may stand for."""

    name: str
    score: float
    """How alike they are, 0–1; 1 where only case differs, little less where accents or punctuation do."""


def key_of(text: str) -> str:
    """Letters and digits of a text, in lower case without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(char for char in plain if char.isalnum())


def folded(key: str) -> str:
    """A key with characters that look alike made equal."""
    text = key.translate(_ALIKE)
    for pair, one in _PAIRS:
        text = text.replace(pair, one)
    return text


class CardCatalogue:
    """An index of cards. Immutable after its construction: any number of threads may ask it."""

    def __init__(self, cards: Iterable[Card], *, sha256: str = "") -> None:
        """Indexes the cards by full name and by the name of each face; a name listed twice counts once.

        Args:
            cards: in any order.
            sha256: of the file they come from, for provenance.
        """
        self.sha256 = sha256
        self._keys: list[str] = []
        self._folded: list[str] = []
        self._names: list[str] = []
        self._by_folded: dict[str, list[int]] = defaultdict(list)
        self._printings: dict[tuple[str, str], str] = {}
        known: set[tuple[str, str]] = set()
        full: set[str] = set()
        for card in cards:
            full.add(card.name)
            for printing in card.printings:
                self._printings.setdefault(printing, card.name)
            for spelling in dict.fromkeys((card.name, *card.name.split(" // "))):
                key = key_of(spelling)
                if key and (key, card.name) not in known:
                    known.add((key, card.name))
                    self._add(key, card.name)
        self._size = len(full)
        self._sets = frozenset(code for code, _ in self._printings)
        self._postings = self._index()
        self._lengths = np.array([len(key) for key in self._folded], np.int32)

    def __len__(self) -> int:
        """How many cards it has."""
        return self._size

    @property
    def sets(self) -> frozenset[str]:
        """Codes of the sets of all known printings; empty where the source tells none."""
        return self._sets

    def printed(self, set_code: str, number: str) -> str:
        """The name of the card that a set numbers so; empty where the catalogue does not tell."""
        return self._printings.get((set_code.upper(), number.lstrip("0").casefold()), "")

    def find(self, text: str, *, cut_off: bool = False, limit: int = 3) -> tuple[Match, ...]:
        """The names most like a text, best first; none where nothing is half alike.

        Args:
            text: as it was read.
            cut_off: whether only the beginning of the name is shown; then names are compared up to there.
            limit: most names given.
        """
        key = key_of(text)
        if not key:
            return ()
        fold = folded(key)
        same = () if cut_off else tuple(self._by_folded.get(fold, ()))
        places = same or self._alike(fold, cut_off=cut_off)
        best: dict[str, float] = {}
        for place in places:
            name = self._names[place]
            score = self._score(key, fold, place, cut_off=cut_off)
            if score == 1.0 and " ".join(text.casefold().split()) != name.casefold():
                score -= _SPELLING_COST
            if score >= _LEAST_SCORE and score > best.get(name, 0.0):
                best[name] = score
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return tuple(Match(name, score) for name, score in ranked)

    def _add(self, key: str, name: str) -> None:
        fold = folded(key)
        self._by_folded[fold].append(len(self._names))
        self._keys.append(key)
        self._folded.append(fold)
        self._names.append(name)

    def _index(self) -> Mapping[str, npt.NDArray[np.int32]]:
        postings: dict[str, array[int]] = defaultdict(lambda: array("i"))
        for place, fold in enumerate(self._folded):
            for gram in _grams(fold):
                postings[gram].append(place)
        return {gram: np.frombuffer(places, np.int32) for gram, places in postings.items()}

    def _alike(self, fold: str, *, cut_off: bool) -> Iterable[int]:
        """Places of the names that share most trigrams with a text, in proportion to their lengths."""
        grams = [gram for gram in _grams(fold) if not (cut_off and gram.endswith("$"))]
        found = [self._postings[gram] for gram in grams if gram in self._postings]
        if not found:
            return ()
        shared = np.bincount(np.concatenate(found), minlength=len(self._names))
        lengths = np.full_like(self._lengths, len(fold)) if cut_off else np.maximum(self._lengths, len(fold))
        likeness = shared / (lengths + 2)
        count = min(_LOOK_CLOSER, len(likeness))
        best = np.argpartition(-likeness, count - 1)[:count]
        places: list[int] = best[shared[best] > 0].tolist()
        return places

    def _score(self, key: str, fold: str, place: int, *, cut_off: bool) -> float:
        other_key, other_fold = self._keys[place], self._folded[place]
        if cut_off:
            other_key, other_fold = other_key[: len(key)], other_fold[: len(fold)]
        edits = Levenshtein.distance(fold, other_fold)
        hidden = max(0, Levenshtein.distance(key, other_key) - edits)
        return max(0.0, 1 - (edits + _FOLDED_COST * hidden) / max(len(fold), len(other_fold)))


def _grams(fold: str) -> set[str]:
    padded = f"^^{fold}$"
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
