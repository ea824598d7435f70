"""Label sets as data: which words name which field, by language."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

FOLDER = Path(__file__).parent / "labels"
_LIKENESS = 86.0
_FUZZY_FROM = 5
"""Labels with fewer letters must be read without a mistake."""
_WORD = re.compile(r"[^\W_]+(?:['.][^\W_]+)?")
_DATE_GOES_ON = re.compile(r"\d+[/-]\d")
"""A number that is a day or a month, though numbers are labels on licences."""
_PARTS = re.compile(r"\s*[/|•]\s*")


@dataclass(frozen=True, slots=True)
class Label:
    """Words that name a field."""

    words: tuple[str, ...]
    key: str

    @property
    def joined(self) -> str:
        """All letters without spaces."""
        return "".join(self.words)


@dataclass(frozen=True, slots=True)
class FoundLabel:
    """A label in a line, and what stands behind it."""

    key: str
    value: str
    """The rest of the line; empty where the line is the label alone."""
    value_start: int
    """Position of the rest in the line."""


class LabelSet:
    """All labels of some languages. Immutable."""

    def __init__(self, labels: Sequence[Label], titles: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._exact = {label.joined: label for label in reversed(labels)}
        self._longest = max((len(label.words) for label in labels), default=0)
        fuzzy = [label for label in self._exact.values() if len(label.joined) >= _FUZZY_FROM]
        # a lost or a false space makes one word more or less; without any space a label is one word
        self._by_count = {
            count: [label.joined for label in fuzzy if count == 1 or abs(len(label.words) - count) <= 1]
            for count in range(1, self._longest + 2)
        }
        self.titles = tuple(titles)

    def find(self, text: str) -> FoundLabel | None:
        """The label that a line is or begins with; the most alike, then the longest where several fit."""
        return self._bilingual(text) or self._begins(text, 0)

    def _bilingual(self, text: str) -> FoundLabel | None:
        """`Apelyido/Last Name`: one part at least is a label, and the last may go on with a value."""
        parts = list(_spans(text))
        if len(parts) < 2:
            return None
        # a number between strokes is a day or a month
        keys = [
            self._whole(part) if any(char.isalpha() for char in part) else ""
            for part in (text[start:end] for start, end in parts)
        ]
        known = [key for key in keys if key]
        if not known:
            return None
        last = None if keys[-1] else self._begins(text, parts[-1][0])
        if last is None:
            return FoundLabel(known[0], "", len(text))
        return FoundLabel(known[0], last.value, last.value_start)

    def _whole(self, text: str) -> str:
        """The key of the label that a text is, all of it; empty where it is none."""
        words = [_spelt(word) for word in _WORD.findall(text)]
        likest = self._likest(words)
        return likest[0].key if likest is not None and likest[1] == len(words) else ""

    def _begins(self, text: str, start: int) -> FoundLabel | None:
        spans = [(match.start(), match.end()) for match in _WORD.finditer(text, start)]
        likest = self._likest([_spelt(text[first:end]) for first, end in spans])
        if likest is None:
            return None
        end = spans[likest[1] - 1][1]
        return None if _DATE_GOES_ON.fullmatch(text, start, end + 2) else _with_rest(text, likest[0].key, end)

    def _likest(self, words: Sequence[str]) -> tuple[Label, int] | None:
        """The label that the first words are most like, and how many words it takes."""
        heads = ["".join(words[:count]) for count in range(1, min(len(words), self._longest + 1) + 1)]
        for count in range(len(heads), 0, -1):
            if heads[count - 1] in self._exact:
                return self._exact[heads[count - 1]], count
        best: tuple[float, Label, int] | None = None
        for count, head in enumerate(heads, 1):
            names = self._by_count.get(count, [])
            found = process.extractOne(head, names, scorer=fuzz.ratio, score_cutoff=_LIKENESS)
            if found is not None and (best is None or found[1] > best[0]):
                best = (found[1], self._exact[found[0]], count)
        return (best[1], best[2]) if best is not None else None


def _with_rest(text: str, key: str, end: int) -> FoundLabel:
    rest = text[end:].lstrip(" :.-–#()")
    return FoundLabel(key, rest.rstrip(), len(text) - len(rest))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _PARTS.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def plain(text: str) -> str:
    """Small letters and digits without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if char.isalnum())


def _spelt(word: str) -> str:
    """A word with the pair of letters as one that recognisers see as one."""
    return plain(word).replace("rn", "m")


def load_labels(*folders: Path) -> LabelSet:
    """Every file `xx.toml` of some folders, with `titles` and `[labels]`."""
    labels: list[Label] = []
    titles: list[str] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        titles += found["titles"]
        labels += [
            Label(tuple(_spelt(word) for word in _WORD.findall(text)), key)
            for key, texts in found["labels"].items()
            for text in texts
        ]
    return LabelSet(labels, titles)


LABELS = load_labels(FOLDER)
"""The labels that come with the service; constant data, read once with the module."""
