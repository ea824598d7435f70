"""Texts made vectors whose cosine says how alike they are in meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.inference.engine import Engine, Priority
from vidence_server.library.embedding.tokenizer import TextTokenizer, Tokens

Embeddings: TypeAlias = npt.NDArray[np.float32]

EMBEDDER = "text-embedder"
TOKENIZER = "text-tokenizer"
MODELS: tuple[str, ...] = (EMBEDDER,)
"""Names of the models that the engine needs."""

_BATCH_TEXTS = 16
_BATCH_TOKENS = 2048
"""Of a batch with its padding: about half a second on one core."""
_TEXTS_PER_STEP = 64
"""Texts tokenised at once: some milliseconds."""


class TextEmbedder(Protocol):
    """Makes vectors of texts."""

    @property
    def model_id(self) -> str:
        """Names the weights: vectors of different models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    async def embed(self, texts: Sequence[str], *, priority: Priority = Priority.INTERACTIVE) -> Embeddings:
        """Vectors of length 1, in the order of the texts.

        Args:
            texts: Any number, of any length; what they say at the end of a long one may be left out.
            priority: Who waits.

        Returns:
            float32 (N, D).

        Raises:
            DomainError: REQUEST_INVALID where a text has no word, and what the engine raises.
        """
        ...


class MiniLmEmbedder:
    """A `TextEmbedder` that runs all-MiniLM-L6-v2, or another encoder of the same inputs, in the engine.

    Of each text the first 256 word pieces count (some 190 English words). Texts of like length share a run, a
    run has at most 16 of them, and at most as many runs wait or work for one call as the engine has workers.
    The vector of a text depends on its companions by rounding only, below 1e-6.
    """

    def __init__(self, engine: Engine, tokenizer: TextTokenizer, *, model_id: str, dimensions: int) -> None:
        self.model_id = model_id
        self.dimensions = dimensions
        self._engine = engine
        self._tokenizer = tokenizer

    async def embed(self, texts: Sequence[str], *, priority: Priority = Priority.INTERACTIVE) -> Embeddings:
        """See `TextEmbedder`."""
        tokens = await self._tokens(texts, priority)
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        batches = _batches(tokens)

        async def work() -> None:
            for batch in batches:
                vectors[batch] = await self._run([tokens[place] for place in batch], priority)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._engine.workers):
                    tasks.create_task(work())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return vectors

    async def _tokens(self, texts: Sequence[str], priority: Priority) -> list[Tokens]:
        tokens: list[Tokens] = []
        for first in range(0, len(texts), _TEXTS_PER_STEP):
            encode = partial(_encoded, self._tokenizer, texts[first : first + _TEXTS_PER_STEP])
            tokens += await self._engine.call(encode, step="tokenise", priority=priority)
        for place, one in enumerate(tokens):
            if not len(one):
                raise DomainError(
                    Reason.REQUEST_INVALID,
                    "A text without words has no meaning to compare.",
                    fields=(FieldViolation(f"texts[{place}]", "has no words"),),
                )
        return tokens

    async def _run(self, texts: Sequence[Tokens], priority: Priority) -> Embeddings:
        tokens, mask = self._tokenizer.padded(texts)
        (vectors,) = await self._engine.run(
            EMBEDDER, {"input_ids": tokens, "attention_mask": mask}, priority=priority
        )
        return vectors


def _encoded(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[Tokens]:
    return [tokenizer.tokens_of(text) for text in texts]


def _batches(tokens: Sequence[Tokens]) -> Iterator[list[int]]:
    """Places of texts that share a run: the longest first, so that the last runs are short."""
    batch: list[int] = []
    for place in sorted(range(len(tokens)), key=lambda place: -len(tokens[place])):
        if batch and (len(batch) == _BATCH_TEXTS or (len(batch) + 1) * len(tokens[batch[0]]) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
