"""What a line says: the CTC decoding of a recogniser's output, with what each character might have been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.ocr.detector import FloatArray
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.text import CharacterReading

_BLANK = 0


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters of a recogniser's classes; class 0 is CTC's blank."""

    characters: tuple[str, ...]

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Vocabulary:
        """The vocabulary in a model's metadata key `character`: one a line; the space comes last, unlisted.

        Raises:
            DomainError: MODEL_CORRUPT, when the key is not there.
        """
        listed = metadata.get("character")
        if not listed:
            raise DomainError(
                Reason.MODEL_CORRUPT,
                "The recogniser carries no character list.",
                metadata={"key": "character"},
            )
        return cls(("", *listed.removesuffix("\n").split("\n"), " "))

    def __len__(self) -> int:
        return len(self.characters)


@dataclass(frozen=True, slots=True)
class LineReading:
    """The text of one crop."""

    text: str
    confidence: float
    """Mean over the characters, 0–1; 0 where nothing was read."""
    characters: tuple[CharacterReading, ...]


def decode_line(
    probability: FloatArray, content: float, vocabulary: Vocabulary, profile: ReadingProfile
) -> LineReading:
    """Greedy CTC decoding (Graves et al. 2006): best class per step, runs merged, blanks dropped.

    Args:
        probability: float32 (steps, classes), softmax per step.
        content: share of the steps that show the line; the rest is padding.
        vocabulary: one entry per class.
        profile: how many alternatives to keep, and from which probability.

    Returns:
        The text. A character's confidence is the highest that a step of its run gives it; so are those of
        its alternatives. Positions are fractions of the line's width.

    Raises:
        DomainError: MODEL_CORRUPT, when the model has another number of classes than the vocabulary.
    """
    steps, classes = probability.shape
    if classes != len(vocabulary):
        raise DomainError(
            Reason.MODEL_CORRUPT,
            "The recogniser and its character list do not belong together.",
            metadata={"classes": str(classes), "characters": str(len(vocabulary))},
        )
    best = probability.argmax(axis=1)
    starts = np.flatnonzero(np.concatenate(([True], best[1:] != best[:-1])))
    ends = np.append(starts[1:], steps)
    characters = tuple(
        _character(
            probability[start:end], int(best[start]), (start + end) / 2 / steps / content, vocabulary, profile
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if best[start] != _BLANK
    )
    confidence = sum(c.confidence for c in characters) / len(characters) if characters else 0.0
    return LineReading("".join(c.text for c in characters), confidence, characters)


def is_sure(draft: LineReading, profile: ReadingProfile) -> bool:
    """Whether a draft stands: something was read, and every character of it with enough confidence."""
    return bool(draft.characters) and all(
        character.confidence >= profile.draft_confidence for character in draft.characters
    )


def _character(
    run: npt.NDArray[np.float32], index: int, position: float, vocabulary: Vocabulary, profile: ReadingProfile
) -> CharacterReading:
    """One character from the steps of its run, (steps, classes)."""
    peak = run.max(axis=0) if len(run) > 1 else run[0]
    others = np.flatnonzero(peak >= profile.alternative_floor)
    others = others[(others != index) & (others != _BLANK)]
    ranked = others[np.argsort(-peak[others], kind="stable")][: profile.alternatives]
    return CharacterReading(
        vocabulary.characters[index],
        min(1.0, float(peak[index])),
        min(1.0, position),
        tuple((vocabulary.characters[other], float(peak[other])) for other in ranked.tolist()),
    )
