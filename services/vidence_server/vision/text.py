"""Text as it is found in a picture: regions, and lines with what was read in them. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.vision.geometry import Quad


@dataclass(frozen=True, slots=True)
class TextRegion:
    """A place where the detector sees a line of text."""

    quad: Quad
    """In pixels of the decoded image."""
    score: float
    """Mean text probability inside, 0–1."""


@dataclass(frozen=True, slots=True)
class CharacterReading:
    """One character of a line and what it might have been instead."""

    text: str
    confidence: float
    """Probability the recogniser gives `text`, 0–1."""
    position: float
    """Where its centre lies along the line, as a fraction of the line's width, 0–1."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """Other characters and their probabilities, most likely first; `text` is not among them."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """What was read in one region."""

    index: int
    """Place of the region in reading order, from 0."""
    text: str
    confidence: float
    """Mean of the characters' confidences, 0–1; 0 where nothing was read."""
    quad: Quad
    """In pixels of the decoded image."""
    characters: tuple[CharacterReading, ...] = ()
    """One per character of `text`, in order."""
