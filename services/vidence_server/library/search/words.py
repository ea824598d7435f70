"""Words of texts and of queries: the same in every database, which get them ready made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

MAX_WORDS = 16_000
"""Words of a text that are found; what follows is not (PostgreSQL counts places up to 16,383)."""
MAX_WORD_LENGTH = 64
"""Code points of a word; what follows is left out."""
MAX_QUERY_WORDS = 64
"""Words of a query; what follows is left out."""

_ACCENTS = re.compile("[\u0300-\u036f]")
# Scripts without blanks between words are cut into their letters; vowel signs of Indian scripts are no \w.
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_IDEOGRAPHS}]|(?:(?![_{_IDEOGRAPHS}])[\\w\u0900-\u0963\u0966-\u0dff])+")
_PART = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"?|(?P<plain>[^\s"]+))')

Phrase: TypeAlias = tuple[str, ...]
"""Words that stand one behind the other; mostly one."""


@dataclass(frozen=True, slots=True)
class WordQuery:
    """What a user's text asks for: any of some phrases, none of others."""

    any_of: tuple[Phrase, ...]
    none_of: tuple[Phrase, ...]

    @property
    def words(self) -> frozenset[str]:
        """Those that count for the score."""
        return frozenset(word for phrase in self.any_of for word in phrase)


def words_of(text: str) -> list[str]:
    """The first words of a text in their order, without case and accents; letters and digits only."""
    return list(islice(_words(text), MAX_WORDS))


def parse_query(text: str) -> WordQuery:
    """Reads what a user typed; every text is one.

    A word is looked for, "words in quotes" as they stand; a `-` before either excludes it. Nothing else has a
    meaning of its own.
    """
    any_of: dict[Phrase, None] = {}
    none_of: dict[Phrase, None] = {}
    left = MAX_QUERY_WORDS
    for part in _PART.finditer(text):
        words = list(islice(_words(part["phrase"] or part["plain"] or ""), left))
        left -= len(words)
        target = none_of if part["minus"] else any_of
        if part["phrase"] is not None or part["minus"]:
            phrases = [tuple(words)] if words else []
        else:
            phrases = [(word,) for word in words]
        target.update(dict.fromkeys(phrases))
    return WordQuery(tuple(any_of), tuple(none_of))


def _words(text: str) -> Iterator[str]:
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)))
    for found in _WORD.finditer(text.casefold()):
        yield found[0][:MAX_WORD_LENGTH]
