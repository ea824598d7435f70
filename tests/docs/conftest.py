"""The same live suite as the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite


@pytest.fixture(scope="session")
def suite() -> Iterator[LiveSuite]:
    live = start_suite()
    yield live
    stop_suite(live)
