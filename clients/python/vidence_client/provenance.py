"""Provenance records: whether one is whole, and whether a picture read again gives the same.

A record says what a reading was made from and by: the hashes of the image, of each model and of the card
catalogue, the software's version, its configuration, and each field with its proof. Every entry holds the
hash of the one before it. An intact chain shows that nothing was changed after the last hash was noted, not
who made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "vidence.provenance/1"
_LINKS = ("previous", "hash")
_ABOUT_THE_READING = ("document", "field")


class RecordError(ValueError):
    """The text is no provenance record; the message says why and holds no field value."""


@dataclass(frozen=True, slots=True)
class ProvenanceRecord:
    """A record as it was parsed.

    Attributes:
        entries: In order; each has `kind`, `previous` and `hash`.
    """

    entries: tuple[Mapping[str, Any], ...]

    def of(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """The entries of one kind, such as `image`, `request`, `software` or `model`."""
        return tuple(entry for entry in self.entries if entry["kind"] == kind)

    def one(self, kind: str) -> Mapping[str, Any]:
        """The only entry of a kind.

        Raises:
            RecordError: There is none, or several.
        """
        found = self.of(kind)
        if len(found) != 1:
            raise RecordError(f"the record has {len(found)} entries of the kind {kind!r}, not one")
        return found[0]

    @property
    def hash(self) -> str:
        """The last hash: it stands for the whole record."""
        return str(self.entries[-1]["hash"])


def parse_record(text: str) -> ProvenanceRecord:
    """Reads a record; its hashes are not looked at.

    Raises:
        RecordError: It is no record of the known format.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RecordError("the record is no JSON") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RecordError(f"the record is not of the format {FORMAT}")
    entries = found.get("entries")
    if not isinstance(entries, list) or not entries or not all(map(_is_entry, entries)):
        raise RecordError("the record has no entries, or entries without kind and hashes")
    return ProvenanceRecord(tuple(entries))


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("kind", *_LINKS))


def broken_links(record: ProvenanceRecord) -> list[int]:
    """Places, from 0, of the entries that were changed or moved after they were written; none where whole."""
    broken = []
    previous = ""
    for place, entry in enumerate(record.entries):
        content = {key: value for key, value in entry.items() if key != "hash"}
        actual = canonical_hash(content)
        if entry["previous"] != previous or entry["hash"] != actual:
            broken.append(place)
        previous = entry["hash"]
    return broken


def is_of(record: ProvenanceRecord, content: bytes | Path) -> bool:
    """Whether a record is of these bytes, or of the file there.

    Raises:
        OSError: The file cannot be read.
    """
    data = content if isinstance(content, bytes) else content.read_bytes()
    return bool(record.one("image")["sha256"] == hashlib.sha256(data).hexdigest())


def differences(recorded: ProvenanceRecord, again: ProvenanceRecord) -> list[str]:
    """What another reading of the same picture has otherwise, one sentence each; none where it is the same.

    Field values are not told, only which fields differ and in what.
    """
    return [*_maker_differences(recorded, again), *_reading_differences(recorded, again)]


def _maker_differences(recorded: ProvenanceRecord, again: ProvenanceRecord) -> Iterator[str]:
    kinds = dict.fromkeys(entry["kind"] for entry in (*recorded.entries, *again.entries))
    for kind in kinds:
        if kind in _ABOUT_THE_READING:
            continue
        before, after = ([_content(entry, "today") for entry in one.of(kind)] for one in (recorded, again))
        if before != after:
            yield f"{kind}: {_told(before)} then, {_told(after)} now"


def _told(entries: Sequence[Mapping[str, Any]]) -> str:
    """Entries in short; they hold nothing that was read."""
    return (
        "; ".join(
            _canonical({key: value for key, value in entry.items() if key != "kind"}) for entry in entries
        )
        or "none"
    )


def _reading_differences(recorded: ProvenanceRecord, again: ProvenanceRecord) -> Iterator[str]:
    if recorded.one("document")["document_type"] != again.one("document")["document_type"]:
        yield "the type of the document differs"
    before, after = _fields(recorded), _fields(again)
    for place in dict.fromkeys((*before, *after)):
        name = place[0] + (f"[{place[1]}]" if place[1] else "")
        if place not in after:
            yield f"{name}: not read again"
        elif place not in before:
            yield f"{name}: only read now"
        elif changed := [key for key in before[place] if before[place][key] != after[place].get(key)]:
            yield f"{name}: {', '.join(changed)} differ"


def _fields(record: ProvenanceRecord) -> dict[tuple[str, int], Mapping[str, Any]]:
    return {(entry["key"], entry["index"]): _content(entry, "revision") for entry in record.of("field")}


def _content(entry: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in {*_LINKS, *without}}


def canonical_hash(value: object) -> str:
    """SHA-256 over the canonical JSON of a value, 64 hex digits."""
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
