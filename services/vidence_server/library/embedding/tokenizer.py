"""Texts made word pieces, the units that the encoder knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from vidence_server.core.errors import DomainError, Reason

Tokens: TypeAlias = npt.NDArray[np.int64]

MAX_TOKENS = 256
"""Word pieces of a text, the two marks at its ends included; what follows is left out, as in training."""
MAX_CODE_POINTS = 32_768
"""Code points that are looked at: far more than `MAX_TOKENS` word pieces of any language."""
_MARKS = 2


class TextTokenizer:
    """Word pieces of a vocabulary; threads may share it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a `tokenizer.json`; blocks.

        Raises:
            DomainError: MODEL_CORRUPT.
        """
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises nothing narrower
            raise DomainError(
                Reason.MODEL_CORRUPT, "The file of the tokenizer is none that can be read."
            ) from error

    def tokens_of(self, text: str) -> Tokens:
        """The first word pieces of a text, with marks at both ends, int64 (L,); empty where it has none."""
        found = self._tokenizer.encode(text[:MAX_CODE_POINTS]).ids
        return np.array(found if len(found) > _MARKS else [], np.int64)

    def padded(self, texts: Sequence[Tokens]) -> tuple[Tokens, Tokens]:
        """Several texts as one batch: tokens and mask, int64 (N, L) each, L the length of the longest."""
        longest = max(map(len, texts))
        tokens = np.zeros((len(texts), longest), np.int64)
        mask = np.zeros_like(tokens)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return tokens, mask
