"""How the visual zone spells what the machine readable zone transcribes."""

from __future__ import annotations

import re
import unicodedata

CROSS_RULE = "mrz.visual_zone"
"""The rule of what both zones state alike."""
_TRANSCRIBED = (
    (("ä", "æ"), "ae"),
    (("ö", "ø", "œ"), "oe"),
    (("ü",), "ue"),
    (("å",), "aa"),
)


def letters(text: str) -> str:
    """Small letters without their marks; nothing else."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[^a-z]", "", decomposed)


def spellings(text: str) -> tuple[str, str]:
    """Letters without their marks, and as ICAO Doc 9303-3 section 6 transcribes them."""
    transcribed = text.casefold()
    for marked, plain in _TRANSCRIBED:
        for letter in marked:
            transcribed = transcribed.replace(letter, plain)
    return letters(text), letters(transcribed)
