"""Which type a document is, from as few lines as that takes."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.extraction.domain.document import DocumentTypeGuess
from vidence_server.extraction.types.id_card import ID_CARD
from vidence_server.extraction.types.mrz.formats import MrzFormat
from vidence_server.extraction.types.mrz.rows import Piece, piece_of, rows_of, zone_order
from vidence_server.extraction.types.mrz.zone import Zone, ZoneFinder
from vidence_server.extraction.types.passport import PASSPORT
from vidence_server.extraction.types.registry import DOCUMENT_TYPES
from vidence_server.extraction.types.text import TEXT
from vidence_server.extraction.types.visa import VISA
from vidence_server.vision.barcodes import Barcode
from vidence_server.vision.text import TextLine, TextRegion

LINES_WITHOUT_ZONE = 6
"""After every so many lines without a trace of a zone, other types are thought of."""
MOST_LINES = 30
"""More are never read only to learn the type."""
SURE_LIKENESS = 0.9
"""Likeness from which a type is taken before the last line."""
LEAST_LIKENESS = 0.6
"""Likeness that a type other than text needs at the end."""
PROSE_LINES = 12
"""So many lines are read before a page may be taken for text that is like nothing else."""
PROSE_SHARE = 0.75
"""Share of those lines that must be sentences for a page to be taken for text at once."""
SURE_MARGIN = 0.75
"""Points (see `mrz.score`) by which the best type must lead for a guess before the last line."""
SURE_MARGIN_ALONE = 1.5
"""The same where only one line was found: one check digit holds by chance in a tenth of other documents."""
SURE_SCORE = 4.0
"""Points the best type must have for that: no line of names reaches them alone."""

_SENTENCE_WORDS = 4
_WITH_ZONE = (PASSPORT, VISA, ID_CARD)
_TYPE_OF_FORMAT = {mrz_format.name: known.key for known in _WITH_ZONE for mrz_format in known.formats}
_FORMATS: tuple[MrzFormat, ...] = tuple(mrz_format for known in _WITH_ZONE for mrz_format in known.formats)


class TypeDetector:
    """Looks for a machine readable zone first, then for what is like another type; the rest is text.

    The lines it is fed are of use to the type's own reader: keep them and feed them again.
    """

    def __init__(self, barcodes: Sequence[Barcode] = ()) -> None:
        """Barcodes of the picture, where they are known already."""
        self._barcodes = barcodes
        self._read: list[TextLine] = []
        self._finder = ZoneFinder(_FORMATS)
        self._pieces: list[Piece] = []
        self._zones: list[Zone] = []
        self._guess: DocumentTypeGuess | None = None

    def reading_order(
        self,
        regions: Sequence[TextRegion],
        image_width: int,  # noqa: ARG002 - the same shape as a document type's
        image_height: int,  # noqa: ARG002 - see above
    ) -> Sequence[int]:
        """Indexes of the regions to read, most telling first; feed until there is a guess, then `finish`."""
        likely = zone_order(regions)[:LINES_WITHOUT_ZONE]
        rest = [index for index in range(len(regions)) if index not in set(likely)]
        room = max(1, MOST_LINES - len(likely))
        return [*likely, *rest[:: max(1, -(-len(rest) // room))]]

    def feed(self, line: TextLine) -> DocumentTypeGuess | None:
        """Takes a line; gives the type once it is sure, None before."""
        if self._guess is not None:
            return self._guess
        self._read.append(line)
        piece = piece_of(line)
        if piece is not None:
            self._pieces.append(piece)
            self._zones = self._finder.zones(rows_of(self._pieces))
        self._guess = self._sure()
        return self._guess

    def finish(self) -> DocumentTypeGuess:
        """The likeliest type when no further line will come; text of confidence 0 where nothing was read."""
        if self._guess is None:
            self._guess = self._of_zones() if self._zones else self._likest()
        return self._guess

    def _sure(self) -> DocumentTypeGuess | None:
        if self._zones:
            return self._of_zones() if self._beyond_doubt(self._zones[0]) else None
        trace = any("<" in glyph.char for piece in self._pieces for glyph in piece.glyphs)
        if trace or not self._read or len(self._read) % LINES_WITHOUT_ZONE:
            return None
        best = self._best()
        if best is not None and best.confidence >= SURE_LIKENESS:
            return best
        if len(self._read) < PROSE_LINES:
            return None
        prose = sum(map(_is_sentence, self._read)) >= PROSE_SHARE * len(self._read)
        return self._text() if prose and (best is None or best.confidence < LEAST_LIKENESS) else None

    def _best(self) -> DocumentTypeGuess | None:
        """The type that the lines look like most; None where they look like nothing."""
        found = [
            DocumentTypeGuess(known.key, known.likeness(self._read, self._barcodes))
            for known in DOCUMENT_TYPES
        ]
        best = max(found, key=lambda guess: guess.confidence)
        return best if best.confidence else None

    def _likest(self) -> DocumentTypeGuess:
        best = self._best()
        return best if best is not None and best.confidence >= LEAST_LIKENESS else self._text()

    def _beyond_doubt(self, best: Zone) -> bool:
        """Whether two lines, or one as it stands and by two checks, tell this type from all others."""
        alone = len(best.lines) == 1
        if alone and not all(line.exact for line in best.lines.values()):
            return False
        needed = SURE_MARGIN_ALONE if alone else SURE_MARGIN
        return best.score >= SURE_SCORE and self._margin() >= needed

    def _margin(self) -> float:
        """By how many points the best zone leads over that of any other type."""
        best, *others = self._zones
        own = _TYPE_OF_FORMAT[best.mrz_format.name]
        rivals = (zone.score for zone in others if _TYPE_OF_FORMAT[zone.mrz_format.name] != own)
        return best.score - max(rivals, default=0.0)

    def _of_zones(self) -> DocumentTypeGuess:
        # half a chance where two types are level; every point of lead halves the doubt
        confidence = 1 - 0.5 ** (1 + self._margin())
        return DocumentTypeGuess(_TYPE_OF_FORMAT[self._zones[0].mrz_format.name], confidence)

    def _text(self) -> DocumentTypeGuess:
        best = self._best()
        doubt = best.confidence if best is not None else 0.0
        return DocumentTypeGuess(TEXT.key, (1 - 0.5 ** len(self._read)) * (1 - doubt))


def _is_sentence(line: TextLine) -> bool:
    """Whether a line is a part of running text: several words, most letters small, few digits."""
    words = line.text.split()
    letters = [char for char in line.text if char.isalpha()]
    small = sum(char.islower() for char in letters)
    return len(words) >= _SENTENCE_WORDS and small > 0.7 * len(letters) > 0.5 * len(
        line.text.replace(" ", "")
    )
