"""The text of a licence's barcode: its header, its subfiles, its elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vidence_server.extraction.types.driving_licence.elements import CANADA, ISSUERS, LAST_VERSION

_HEADER = re.compile(r"@\s*(?:\x1c|\x1e)?\s*(?P<kind>ANSI |AAMVA)(?P<issuer>\d{6})(?P<version>\d{2})")
_DESIGNATOR = re.compile(r"(?P<kind>[A-Z]{2})(?P<offset>\d{4})(?P<length>\d{4})")
_ELEMENT = re.compile(r"^(?P<code>[A-Z]{3})(?P<value>.*)$", re.DOTALL)
_SUBFILES = ("DL", "ID", "EN")
_PREFIXES = ("D", "PA")
"""Of the standard's own elements; a jurisdiction's begin with Z."""


@dataclass(frozen=True, slots=True)
class LicenceCode:
    """A barcode taken apart."""

    issuer: str
    """Issuer identification number, six digits."""
    version: int
    """Of the standard, from 1; a later one than the last known is read like that."""
    elements: dict[str, str]
    """Values by element code, without white space at their ends."""

    @property
    def jurisdiction(self) -> str:
        """Two letters; empty where the issuer is not in the list."""
        return ISSUERS.get(self.issuer, self.elements.get("DAJ", ""))

    @property
    def country(self) -> str:
        """ISO 3166-1 alpha-3 of the issuer."""
        told = self.elements.get("DCG", "").upper()
        if told in {"USA", "CAN"}:
            return told
        return "CAN" if self.jurisdiction in CANADA else "USA"


def parse_licence(content: bytes) -> LicenceCode | None:
    """A barcode's content taken apart; None where it is no licence's.

    Offsets of subfiles are not trusted: issuers count them differently, so their designators are looked for.
    """
    text = _text(content).lstrip()
    header = _HEADER.match(text)
    if header is None:
        return None
    body = text[header.end() :]
    version = min(max(int(header["version"]), 1), LAST_VERSION)
    skipped = (
        2 if version == 1 else 4
    )  # count of entries; from version 2 the jurisdiction's version before it
    designators = list(_designators(body[skipped:]))
    start = skipped + (designators[-1].end() if designators else 0)
    elements = dict(_elements(body[start:]))
    return LicenceCode(header["issuer"], version, elements) if elements else None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _designators(text: str) -> Iterator[re.Match[str]]:
    place = 0
    while (found := _DESIGNATOR.match(text, place)) is not None:
        yield found
        place = found.end()


def _elements(text: str) -> Iterator[tuple[str, str]]:
    """Elements line by line; the first of a subfile stands behind the subfile's own two letters."""
    for part in re.split(r"[\n\r\x1c\x1d\x1e]+", text):
        line = part
        if line[:2] in _SUBFILES and re.match(r"[A-Z]{2}D[A-Z]{2}", line):
            line = line[2:]
        found = _ELEMENT.match(line)
        if found and found["code"].startswith(_PREFIXES):
            yield found["code"], found["value"].strip()
