"""The same live suite as the end-to-end tests, with an event on its bus as after the first command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.bridge_door import Door
from e2e_suite import LiveSuite, start_suite, stop_suite
from vidence_client import make_event, sync


@pytest.fixture(scope="session")
def suite() -> Iterator[LiveSuite]:
    live = start_suite()
    try:
        with sync.Client(live.address) as client:
            client.events.publish(make_event("till.closed", source="shop/7", subject="tills/3"))
        yield live
    finally:
        stop_suite(live)


@pytest.fixture(scope="session")
def door(suite: LiveSuite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The suite behind the bridge and Envoy."""
    opened = Door(tmp_path_factory.mktemp("door"), suite.address)
    try:
        opened.start()
        yield opened
    finally:
        opened.close()
