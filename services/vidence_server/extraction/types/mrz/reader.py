"""Fields out of a zone, while its lines arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from vidence_server.extraction.domain.document import ExtractedField, Verdict
from vidence_server.extraction.types.mrz.formats import Content, MrzFormat
from vidence_server.extraction.types.mrz.interpret import interpret
from vidence_server.extraction.types.mrz.proof import prove
from vidence_server.extraction.types.mrz.repair import CHECK_DIGIT_RULE
from vidence_server.extraction.types.mrz.rows import Piece, piece_of, rows_of
from vidence_server.extraction.types.mrz.zone import Zone, ZoneFinder
from vidence_server.extraction.types.revisions import Revisions
from vidence_server.vision.text import TextLine


class MrzReader:
    """Reads one picture's zone. Complete once every line of the zone has all its characters."""

    def __init__(self, formats: Sequence[MrzFormat], today: date) -> None:
        self._finder = ZoneFinder(formats)
        self._today = today
        self._pieces: list[Piece] = []
        self._zone: Zone | None = None
        self._revisions = Revisions()

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line; gives the fields of lines that are whole, and of others what a check digit proves."""
        piece = piece_of(line)
        if piece is None:
            return []
        self._pieces.append(piece)
        zones = self._finder.zones(rows_of(self._pieces))
        self._zone = zones[0] if zones else None
        if self._zone is None:
            return []
        zone = self._zone
        return self._revisions.news(field for field in self._fields() if _settled(field, zone))

    def finish(self) -> list[ExtractedField]:
        """Gives what could be read of incomplete lines too, and takes back what turned out to be no part."""
        return self._revisions.final(self._fields())

    @property
    def complete(self) -> bool:
        """Whether every line of the zone has all its characters."""
        return self._zone is not None and self._zone.complete

    def _fields(self) -> list[ExtractedField]:
        if self._zone is None:
            return []
        return list(interpret(self._zone, prove(self._zone, self._today), self._today))


def _settled(field: ExtractedField, zone: Zone) -> bool:
    """Whether a field need not wait for further lines."""
    if field.key == "mrz.format":
        return any(line.complete for line in zone.lines.values())
    line = zone.lines.get(_line_number(field, zone.mrz_format))
    if line is not None and line.complete:
        return True
    return field.validation.verdict is Verdict.VALID and field.validation.rule == CHECK_DIGIT_RULE


def _line_number(field: ExtractedField, mrz_format: MrzFormat) -> int:
    if field.key == "mrz.line":
        return field.index
    if field.key == "mrz.composite_check" and mrz_format.composite:
        return mrz_format.composite.line
    for layout in mrz_format.lines:
        for span in layout.spans:
            if field.key == span.key or (field.key == "person.given_names" and span.content is Content.NAMES):
                return layout.number
    return 0
