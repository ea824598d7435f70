"""The real text models in an engine; `vidence models pull` brings them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import structlog

from vidence_server.core.clock import SystemClock
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.inference.registry import load_registry
from vidence_server.inference.session import OnnxSession, SessionSettings, open_session
from vidence_server.inference.store import ModelStore, default_folder
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.ocr.recogniser import Vocabulary


@pytest.fixture(scope="session")
def text_sessions() -> Mapping[str, OnnxSession]:
    """Detector and recogniser, loaded once."""
    registry, store = load_registry(), ModelStore(default_folder())
    profile = ReadingProfile()
    return {
        name: open_session(
            registry[name],
            store.path(registry[name]),
            SessionSettings(providers=("CPUExecutionProvider",)),
            structlog.get_logger(),
        )
        for name in (profile.detector_model, profile.recogniser_model)
    }


@pytest.fixture
async def engine(text_sessions: Mapping[str, OnnxSession]) -> AsyncIterator[Engine]:
    async with Engine(text_sessions, EngineSettings(workers=2), SystemClock()) as running:
        yield running


@pytest.fixture
def vocabulary(text_sessions: Mapping[str, OnnxSession]) -> Vocabulary:
    return Vocabulary.from_metadata(text_sessions[ReadingProfile().recogniser_model].metadata)


@pytest.fixture
def reader(engine: Engine, vocabulary: Vocabulary) -> TextReader:
    return TextReader(engine, ReadingProfile(), vocabulary)
