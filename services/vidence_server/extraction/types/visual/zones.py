"""A reader of documents with a visual zone, a machine readable zone, or both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from vidence_server.extraction.domain.document import ExtractedField
from vidence_server.extraction.types.mrz.formats import MrzFormat
from vidence_server.extraction.types.mrz.reader import MrzReader
from vidence_server.extraction.types.revisions import Revisions
from vidence_server.extraction.types.visual.crosscheck import by_key, merged
from vidence_server.extraction.types.visual.reader import visual_fields
from vidence_server.vision.text import TextLine

_FILLERS = 3
"""So many fillers make a line one of the zone."""


class TwoZoneReader:
    """Tells the machine readable zone as it is read; then the visual zone, and where the two differ."""

    def __init__(self, formats: Sequence[MrzFormat], keys: frozenset[str], today: date) -> None:
        """A reader at its beginning.

        Args:
            formats: of the zone.
            keys: of the fields that such documents have; labels of others are no labels here.
            today: decides the century of two-digit years.
        """
        self._keys = keys
        self._mrz = MrzReader(formats, today)
        self._today = today
        self._lines: list[TextLine] = []
        self._zone: list[ExtractedField] = []
        self._revisions = Revisions()

    def feed(self, line: TextLine) -> list[ExtractedField]:
        """Takes a line; gives what it settles of the zone."""
        self._lines.append(line)
        if self._mrz.complete:
            return []
        news = self._mrz.feed(line)
        self._zone += news
        return self._revisions.news(news)

    def finish(self) -> list[ExtractedField]:
        """Gives the rest of the zone, the visual zone, and what agreement or conflict makes of both."""
        self._zone += self._mrz.finish()
        zone = by_key(self._zone)
        printed = [line for line in self._lines if line.text.count("<") < _FILLERS]
        visual = [field for field in visual_fields(printed, self._today) if field.key in self._keys]
        return self._revisions.final(merged(zone.values(), visual))

    @property
    def complete(self) -> bool:
        """Never: the visual zone may contradict what the other says."""
        return False
