"""The documents that are spoilt: rendered ones with their truth, and real ones with what is known of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from PIL import Image

from benchmarks.goods.decks import counts_of, truth_of
from benchmarks.goods.receipts import KEYS, is_right
from benchmarks.mrz.real import real_type
from benchmarks.real_data import real_data
from rendering.decks import random_deck, render_deck
from rendering.documents import render_document
from rendering.people import random_person
from rendering.receipts import random_receipt, render_receipt
from vidence_server.extraction.domain.document import Document, Verdict

TODAY = date(2026, 1, 1)
"""Documents are made for this day, whatever day it is: the same seed gives the same ones."""
_LAYOUTS = {"passport": "TD3", "id_card": "TD1", "visa": "MRV-A"}

Judge = Callable[[Document], list[str]]
"""What is wrong in a document: one entry per field that is not exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A picture and how its reading is judged."""

    name: str
    kind: str
    """What its row in the table is called."""
    document_type: str
    """Told to the reader; empty: found out, and one of the fields."""
    image: Image.Image
    fields: int
    """How many can be exact."""
    misses: Judge


def rendered_cases(count: int, names: Sequence[str]) -> Iterator[Case]:
    """`count` documents of each kind; seeded."""
    for number in range(count):
        for key, layout in _LAYOUTS.items():
            document = render_document(random_person(Random(f"{layout} {number}"), TODAY), layout)
            judge = _identity({**document.fields}, document.document_type)
            yield Case(f"{key} {number}", key, "", document.image, len(document.fields) + 1, judge)
        for style in ("till", "bistro"):
            receipt = random_receipt(Random(f"{style} {number}"))
            picture = render_receipt(receipt, style)
            yield Case(
                f"receipt {style} {number}",
                "receipt",
                "",
                picture,
                len(KEYS) + 1,
                _goods(receipt.truth, "receipt"),
            )
        deck = random_deck(Random(f"deck {number}"), names, "mtgo")
        truth = truth_of(deck)
        yield Case(
            f"decklist {number}",
            "decklist",
            "",
            render_deck(deck, "mtgo"),
            len(truth) + 1,
            _deck(truth, "decklist"),
        )


def _identity(truth: Mapping[str, str], document_type: str) -> Judge:
    def misses(document: Document) -> list[str]:
        values = {field.key: field.value for field in document.fields}
        return [
            *_type_miss(document, document_type),
            *(
                f"{key} is {wanted!r}, read {values.get(key, '')!r}"
                for key, wanted in truth.items()
                if values.get(key, "") != wanted
            ),
        ]

    return misses


def _goods(truth: Mapping[str, str], document_type: str) -> Judge:
    def misses(document: Document) -> list[str]:
        values = {field.key: field.value for field in document.fields if field.index == 0}
        wrong = [name for name in KEYS if not is_right(name, truth[name], values.get(KEYS[name], ""), TODAY)]
        return [
            *_type_miss(document, document_type),
            *(f"{name} is {truth[name]!r}, read {values.get(KEYS[name], '')!r}" for name in wrong),
        ]

    return misses


def _deck(truth: Mapping[tuple[str, str], int], document_type: str) -> Judge:
    def misses(document: Document) -> list[str]:
        read = counts_of(document)
        return [
            *_type_miss(document, document_type),
            *(
                f"{section} {count} {name}: read {read.get((section, name), 0)}"
                for (section, name), count in truth.items()
                if read.get((section, name)) != count
            ),
        ]

    return misses


def _type_miss(document: Document, wanted: str) -> list[str]:
    if not wanted or document.document_type == wanted:
        return []
    return [f"type is {wanted}, read {document.document_type}"]


async def real_cases(read: Callable[[bytes, str], Awaitable[Document]], count: int) -> list[Case]:
    """At most `count` real zones and as many receipts, spread over all there are.

    The truth of machine readable zones is what check digits prove in the picture as it is; values
    stay unsaid.
    """
    found: list[Case] = []
    for path in _pictures("mrz", count):
        key = real_type(path)
        proven = {
            (field.key, field.index): field.value
            for field in (await read(path.read_bytes(), key)).fields
            if field.validation.verdict is Verdict.VALID and field.validation.rule == "icao9303.check_digit"
        }
        if proven:
            found.append(Case(path.name, "real zones", key, _opened(path), len(proven), _proven(proven)))
    for path in _pictures("receipts", count):
        truth = json.loads(path.with_suffix(".json").read_text())
        found.append(Case(path.name, "real receipts", "receipt", _opened(path), len(KEYS), _goods(truth, "")))
    return found


def _proven(proven: Mapping[tuple[str, int], str]) -> Judge:
    def misses(document: Document) -> list[str]:
        read = {(field.key, field.index): field.value for field in document.fields}
        return [f"{key} lost" for (key, index), value in proven.items() if read.get((key, index)) != value]

    return misses


def _pictures(kind: str, count: int) -> list[Path]:
    folder = real_data(kind)
    pictures = sorted(folder.glob("*.jpg")) if folder else []
    return pictures[:: max(1, len(pictures) // max(1, count))][:count]


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
