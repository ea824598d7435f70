"""The text embedder, put together of the engine's model and the tokenizer's file."""

from __future__ import annotations

import asyncio

import numpy as np

from vidence_server.inference.engine import Engine
from vidence_server.inference.registry import ModelRegistry
from vidence_server.inference.store import ModelStore
from vidence_server.library.embedding.embedder import EMBEDDER, TOKENIZER, MiniLmEmbedder
from vidence_server.library.embedding.tokenizer import TextTokenizer

_NAME = "all-minilm-l6-v2"
_SHA256_DIGITS = 12


async def open_embedder(engine: Engine, store: ModelStore, registry: ModelRegistry) -> MiniLmEmbedder:
    """Loads the tokenizer, and asks the model for the length of its vectors.

    Args:
        engine: Entered, with the session of `MODELS`.
        store: Where the tokenizer's file is.
        registry: With the operator's overrides: other weights have another `model_id`.

    Raises:
        DomainError: MODEL_MISSING, MODEL_CORRUPT, and what the engine raises.
    """
    path = await asyncio.to_thread(store.path, registry[TOKENIZER])
    tokenizer = await asyncio.to_thread(TextTokenizer.load, path)
    token = np.ones((1, 1), np.int64)
    (vector,) = await engine.run(EMBEDDER, {"input_ids": token, "attention_mask": token})
    return MiniLmEmbedder(
        engine,
        tokenizer,
        model_id=f"{_NAME}@{registry[EMBEDDER].sha256[:_SHA256_DIGITS]}",
        dimensions=vector.shape[1],
    )
