"""Named profiles: chosen by the request, told in the record, reproducible; quantising changes little."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from rendering.pages import render_page
from vidence_client.provenance import broken_links, differences, parse_record
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.extraction import app
from vidence_server.extraction.domain.events import ExtractionComplete
from vidence_server.extraction.profiles import INT8, OFFERED, PROFILES, models_of
from vidence_server.extraction.service import ExtractionRequest, ExtractionService
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.suite.models import load_sessions
from vidence_server.suite_settings import InferenceSettings
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.ocr.recogniser import Vocabulary

LINES = (
    "Surname FALKENBERG",
    "Given names Vesna Marie",
    "Invoice 2041-77 of 12/08/2024, total 1,284.50",
    "Größe, façade, señor, København, naïve",
    "The quick brown fox jumps over the lazy dog.",
    "0123456789 (50%) [A-Z] #7 @ & + = ; : ! ?",
    "DOCUMENT NO X4471902Q  EXPIRY 31 DEC 2031",
)


@asynccontextmanager
async def service_with(profiles: tuple[str, ...]) -> AsyncIterator[ExtractionService]:
    clock = SystemClock()
    settings = ExtractionSettings(profiles=profiles, profile=profiles[0])
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), app.models(settings))
    async with Engine(sessions, EngineSettings(workers=1), clock) as engine:
        yield app.build_service(settings, engine=engine, sessions=sessions, clock=clock, ids=IdFactory(clock))


async def record(service: ExtractionService, content: bytes, profile: str) -> str:
    request = ExtractionRequest(content, "passport", record=True, profile=profile)
    async with aclosing(service.extract(request)) as events:
        (told,) = [event.record async for event in events if isinstance(event, ExtractionComplete)]
        return told


@pytest.mark.requirement("R-EX8", "R-EX3")
async def test_a_record_tells_its_profile_and_is_reproduced_by_it(passport: bytes) -> None:
    async with service_with(OFFERED) as service:
        records = {name: parse_record(await record(service, passport, name)) for name in OFFERED}
        for name, first in records.items():
            assert broken_links(first) == []
            assert first.one("request")["profile"] == name
            assert first.one("configuration")["values"]["reading.name"] == name
            told = {entry["name"] for entry in first.entries if entry["kind"] == "model"}
            assert told == set(models_of([name]))
            assert list(differences(first, parse_record(await record(service, passport, name)))) == []
        assert list(differences(records["accurate"], records["fast"]))
        unnamed = parse_record(await record(service, passport, ""))
        assert unnamed.one("configuration")["values"]["reading.name"] == OFFERED[0]


@pytest.mark.requirement("R-EX1")
async def test_a_profile_that_is_not_offered_is_refused_before_anything_is_read() -> None:
    async with service_with(("fast",)) as service:
        with pytest.raises(DomainError) as raised:
            await record(service, b"no picture", "accurate")
        assert raised.value.reason is Reason.PROFILE_UNKNOWN
        assert raised.value.metadata == {"known": "fast"}


@pytest.mark.requirement("R-EX1")
def test_settings_name_known_profiles_only() -> None:
    for settings in (
        ExtractionSettings(profiles=("quick",), profile="quick"),
        ExtractionSettings(profiles=("fast",), profile="accurate"),
    ):
        with pytest.raises(DomainError) as raised:
            sessions = load_sessions(InferenceSettings(), app.models(settings))
            app.build_service(
                settings,
                engine=Engine({}, EngineSettings(), SystemClock()),
                sessions=sessions,
                clock=SystemClock(),
                ids=IdFactory(SystemClock()),
            )
        assert raised.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-OP7", "R-EX2")
async def test_a_quantised_recogniser_reads_rendered_text_nearly_as_the_whole_one() -> None:
    """Every line by the model itself, without drafts: at most one in a hundred characters more is wrong."""
    pixels = np.ascontiguousarray(np.asarray(render_page(LINES).image)[:, :, ::-1])
    image = Image(pixels, "image/png", "0" * 64)
    whole, quantised = [
        await errors(image, model) for model in (PROFILES["balanced"].recogniser_model, INT8.recogniser_model)
    ]
    characters = sum(len(text.replace(" ", "")) for text in LINES)
    assert whole / characters <= 0.02
    assert (quantised - whole) / characters <= 0.01


async def errors(image: Image, recogniser: str) -> int:
    """Characters wrong when this model reads the page."""
    profile = replace(PROFILES["balanced"], draft_model="", recogniser_model=recogniser)
    names = (profile.detector_model, recogniser)
    sessions = await asyncio.to_thread(load_sessions, InferenceSettings(), names)
    async with Engine(sessions, EngineSettings(workers=1), SystemClock()) as engine:
        reader = TextReader(engine, profile, Vocabulary.from_metadata(sessions[recogniser].metadata))
        regions = await reader.detect(image)
        async with aclosing(reader.recognise(image, regions)) as lines:
            read = "".join([line.text async for line in lines])
    truth = "".join(LINES)
    return Levenshtein.distance(read.replace(" ", ""), truth.replace(" ", ""))


@pytest.mark.requirement("R-EX8")
async def test_a_model_that_was_built_has_a_name_of_its_own() -> None:
    """Whole, cut and quantised come from one source file: the names in a record tell them apart."""
    names = {PROFILES[name].recogniser_model for name in ("accurate", "balanced", "balanced-int8")}
    assert len(names) == 3
    async with service_with(("balanced-int8",)) as service:
        content = io.BytesIO()
        render_page(LINES[:2]).image.save(content, "PNG")
        made = json.loads(await record(service, content.getvalue(), ""))
    assert "ocr-recogniser-int8" in {entry.get("name") for entry in made["entries"]}
