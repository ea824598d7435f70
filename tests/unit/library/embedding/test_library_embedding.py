"""Texts made vectors: batches of the engine, and the real model beside published numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from eventually import eventually
from fakes.inference import FakeSession, Gate
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.jobs import Array
from vidence_server.inference.registry import load_registry
from vidence_server.inference.session import RunOptions, SessionSettings, open_session
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.library.embedding.embedder import (
    EMBEDDER,
    TOKENIZER,
    MiniLmEmbedder,
    _batches,
)
from vidence_server.library.embedding.loading import open_embedder
from vidence_server.library.embedding.tokenizer import MAX_TOKENS, TextTokenizer

pytestmark = pytest.mark.requirement("R-LI2")

WORDS = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "red", "green", "blue"])}


def tokenizer() -> TextTokenizer:
    """Six words; everything else is unknown."""
    made = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))  # noqa: S106  # a word, no secret
    made.normalizer = Lowercase()
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return TextTokenizer(made)


class CountingSession(FakeSession):
    """Gives how many tokens a text has, their sum and one."""

    def run(self, inputs: Mapping[str, Array], run_options: RunOptions) -> tuple[Array, ...]:
        tokens, mask = inputs["input_ids"], inputs["attention_mask"]
        super().run({"x": tokens}, run_options)
        told = [mask.sum(axis=1), (tokens * mask).sum(axis=1), np.ones(len(tokens))]
        return (np.stack(told, axis=1).astype(np.float32),)


@asynccontextmanager
async def opened(session: CountingSession, *, workers: int = 2) -> AsyncIterator[MiniLmEmbedder]:
    async with Engine({EMBEDDER: session}, EngineSettings(workers=workers), SystemClock()) as engine:
        yield MiniLmEmbedder(engine, tokenizer(), model_id="colours@1", dimensions=3)


async def test_vectors_come_in_the_order_of_the_texts() -> None:
    texts = ["red", "green green blue blue blue", "blue red"] * 20
    async with opened(CountingSession()) as embedder:
        found = await embedder.embed(texts)
    assert found.dtype == np.float32
    assert found.tolist() == [[3, 6, 1], [7, 3 + 4 + 4 + 5 + 5 + 5, 1], [4, 3 + 5 + 3, 1]] * 20


async def test_no_texts_have_no_vectors() -> None:
    session = CountingSession()
    async with opened(session) as embedder:
        assert (await embedder.embed([])).shape == (0, 3)
    assert session.ran == []


@pytest.mark.parametrize("empty", ["", "   \n", "\u200b" * 0])
async def test_a_text_without_words_is_refused_by_its_place(empty: str) -> None:
    session = CountingSession()
    async with opened(session) as embedder:
        with pytest.raises(DomainError) as caught:
            await embedder.embed(["red", empty, "blue"])
    assert (caught.value.reason, caught.value.fields[0].field) == (Reason.REQUEST_INVALID, "texts[1]")
    assert session.ran == []


async def test_of_a_long_text_the_beginning_counts() -> None:
    async with opened(CountingSession()) as embedder:
        found = await embedder.embed(["red " * 254, "red " * 254 + "blue", "red " * 1_000_000])
    assert found.tolist() == [[256, 3 + 254 * 3, 1]] * 3


async def test_no_more_runs_wait_than_there_are_workers() -> None:
    session = CountingSession(gate=Gate(shut=True))
    async with opened(session, workers=2) as embedder:
        embedding = asyncio.create_task(embedder.embed(["red"] * 200))
        await session.gate.arrival()
        await session.gate.arrival()
        statistics = embedder._engine.statistics().models[EMBEDDER]
        assert (statistics.running, statistics.queued) == (2, 0)
        session.gate.open()
        assert len(await embedding) == 200
    assert [len(ran) for ran in session.ran] == [16] * 12 + [8]


async def test_a_failure_of_the_engine_is_told_as_it_is() -> None:
    async with opened(CountingSession(error=RuntimeError("broken"))) as embedder:
        with pytest.raises(DomainError) as caught:
            await embedder.embed(["red"] * 100)
    assert caught.value.reason is Reason.INTERNAL


async def test_a_cancelled_call_leaves_nothing_running() -> None:
    session = CountingSession(gate=Gate(shut=True))
    async with opened(session) as embedder:
        embedding = asyncio.create_task(embedder.embed(["red"] * 100))
        await session.gate.arrival()
        embedding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await embedding
        await eventually(lambda: embedder._engine.statistics().busy_workers == 0)
        assert embedder._engine.statistics().models[EMBEDDER].queued == 0


@given(st.lists(st.integers(1, MAX_TOKENS), max_size=100))
def test_batches_hold_every_text_once_within_bounds(lengths: list[int]) -> None:
    batches = list(_batches([np.zeros(length, np.int64) for length in lengths]))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[place] for place in batch)
        assert len(batch) <= 16
        assert len(batch) * longest <= 2048


def test_a_tokenizer_that_cannot_be_read_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(DomainError) as caught:
        TextTokenizer.load(path)
    assert caught.value.reason is Reason.MODEL_CORRUPT


@pytest.fixture(scope="module")
def session() -> Any:
    spec = load_registry()[EMBEDDER]
    return open_session(
        spec, ModelStore(default_folder()).path(spec), SessionSettings(), structlog.get_logger()
    )


@asynccontextmanager
async def real(session: Any) -> AsyncIterator[MiniLmEmbedder]:
    async with Engine({EMBEDDER: session}, EngineSettings(), SystemClock()) as engine:
        yield await open_embedder(engine, ModelStore(default_folder()), load_registry())


async def test_the_real_model_gives_the_published_vectors(session: Any) -> None:
    """The numbers are those that users of the original publish for these sentences."""
    async with real(session) as embedder:
        found = await embedder.embed(["This is an example sentence", "Each sentence is converted"])
    assert found.shape == (2, 384)
    assert found[0, :6] == pytest.approx(
        [0.06765693, 0.06349593, 0.04871314, 0.07930495, 0.03744806, 0.00265273], abs=1e-5
    )
    assert found[1, :2] == pytest.approx([0.08643859, 0.10276], abs=1e-4)


async def test_like_sentences_are_nearer_than_others(session: Any) -> None:
    texts = [
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    ]
    async with real(session) as embedder:
        found = await embedder.embed(texts)
    assert (found[0] @ found[1:].T).tolist() == pytest.approx([0.6946, 0.9429, 0.2569], abs=1e-4)


async def test_companions_and_case_change_nothing(session: Any) -> None:
    async with real(session) as embedder:
        alone = await embedder.embed(["A passport of the republic"])
        among = await embedder.embed(["word " * 200, "a PASSPORT of the republic", "x"])
    assert among[1] == pytest.approx(alone[0], abs=1e-6)


async def test_the_model_is_named_with_its_weights(session: Any) -> None:
    async with real(session) as embedder:
        assert embedder.model_id == "all-minilm-l6-v2@53aa51172d14"
        assert embedder.dimensions == 384
    assert load_registry()[TOKENIZER].format == "json"
