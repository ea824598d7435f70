"""The pages have words for what the bridge says in codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidence_server.bridge.health import ABSENT, SERVICE_STATES, UNTRUSTED
from vidence_server.bridge.services import SERVICES

pytestmark = pytest.mark.requirement("R-WE3")
WORDS = Path(__file__).resolve().parents[3] / "clients/web/app/src/pages/system/words/en.json"
"""The others have the same keys: `words.test.ts` sees to that."""


def test_the_system_page_has_words_for_every_service_and_every_state() -> None:
    words = json.loads(WORDS.read_text(encoding="utf-8"))
    assert {ABSENT, UNTRUSTED} < SERVICE_STATES
    said = {f"name.{line.name}" for line in SERVICES} | {f"state.{state}" for state in SERVICE_STATES}
    assert said <= words.keys()
