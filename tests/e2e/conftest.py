"""A real suite, once per session and worker, and the samples."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from e2e.bridge_door import Door
from e2e_suite import LiveSuite, start_suite, stop_suite

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"


@pytest.fixture(scope="session")
def suite() -> Iterator[LiveSuite]:
    live = start_suite()
    yield live
    stop_suite(live)


@pytest.fixture(scope="session")
def door(suite: LiveSuite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The suite behind the bridge and a real Envoy."""
    opened = Door(tmp_path_factory.mktemp("door"), suite.address)
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Calls through the door; patient with a machine that reads documents for others too."""
    async with httpx.AsyncClient(base_url=door.url, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="session")
def strict_suite() -> Iterator[LiveSuite]:
    """A suite with the limits that the bad files of `fakes.bad_files` break."""
    limits = {
        "VIDENCE_EXTRACTION__MAX_IMAGE_BYTES": "200000",
        "VIDENCE_EXTRACTION__MAX_IMAGE_PIXELS": "1000000",
    }
    live = start_suite(environ=limits)
    yield live
    stop_suite(live)


@pytest.fixture(scope="session")
def passport() -> bytes:
    return (SAMPLES / "passport.jpg").read_bytes()


@pytest.fixture(scope="session")
def page() -> bytes:
    return (SAMPLES / "page.png").read_bytes()
