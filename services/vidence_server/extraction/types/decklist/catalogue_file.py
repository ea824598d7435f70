"""What a catalogue file says: Scryfall bulk data, MTGJSON, or a plain list of names.

Scryfall (`oracle-cards`, `default-cards`): a JSON array of card objects, one a line. MTGJSON: an object
with `data`, by card name (`AtomicCards`) or by set code (`AllPrintings`). Anything else is a list: one name
a line, `#` begins a comment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.types.decklist.catalogue import Card

_NOT_CARDS = frozenset(
    {"token", "double_faced_token", "emblem", "art_series", "vanguard", "scheme", "planar"}
)
"""Scryfall layouts that are in no deck."""


def read_catalogue(lines: Iterable[str]) -> Iterator[Card]:
    """The cards of a catalogue file.

    Args:
        lines: of the text file, with or without their ends.

    Raises:
        DomainError: CONFIGURATION_INVALID, when it is JSON of another kind or broken.
    """
    rest = iter(lines)
    first = next((line for line in rest if line.strip()), "")
    start = first.lstrip("\ufeff \t")[:1]
    try:
        if start == "[":
            yield from _scryfall(chain([first.lstrip("\ufeff")], rest))
        elif start == "{":
            yield from _mtgjson(json.loads("".join(chain([first.lstrip("\ufeff")], rest))))
        else:
            yield from _plain(chain([first], rest))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "the card catalogue is JSON that is neither Scryfall's bulk data nor MTGJSON's",
        ) from error


def _plain(lines: Iterable[str]) -> Iterator[Card]:
    for line in lines:
        name = line.partition("#")[0].strip() if line.lstrip().startswith("#") else line.strip()
        if name:
            yield Card(name)


def _scryfall(lines: Iterable[str]) -> Iterator[Card]:
    """One card a line, as the bulk files are written; else the whole array at once."""
    held: list[str] = []
    for line in lines:
        text = line.strip().removesuffix(",")
        if text.startswith("{") and text.endswith("}") and not held:
            yield from _card(json.loads(text))
        elif text not in {"[", "]", ""}:
            held.append(line)
    if held:
        whole = "".join(held)
        yield from chain.from_iterable(
            map(_card, json.loads(whole if whole.lstrip()[:1] == "[" else f"[{whole}]"))
        )


def _card(found: Mapping[str, Any]) -> Iterator[Card]:
    if found.get("layout") not in _NOT_CARDS:
        yield Card(str(found["name"]), tuple(_printing(found, "set", "collector_number")))


def _printing(found: Mapping[str, Any], set_key: str, number_key: str) -> Iterator[tuple[str, str]]:
    if set_key in found and number_key in found:
        number = str(found[number_key]).lstrip("0").casefold()
        yield str(found[set_key]).upper(), number


def _mtgjson(found: Mapping[str, Any]) -> Iterator[Card]:
    for name, value in found["data"].items():
        if isinstance(value, list):
            yield Card(str(name))
            continue
        for card in value["cards"]:
            printing = _printing({"set": name, "number": card["number"]}, "set", "number")
            yield Card(str(card["name"]), tuple(printing))
