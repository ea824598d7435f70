"""Files that operators may replace are read with care."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidence_server.capture.gate_file import load_gates
from vidence_server.capture.guidance import GuidanceTexts
from vidence_server.core.errors import DomainError, Reason


@pytest.mark.requirement("R-CA6")
def test_a_further_language_is_a_further_file(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text('hold_still = "Hold still."\n', encoding="utf-8")
    (tmp_path / "de.toml").write_text('hold_still = "Bitte stillhalten."\n', encoding="utf-8")
    texts = GuidanceTexts.load(tmp_path)
    assert texts.languages == ("de", "en")
    assert texts.text(texts.language("de-AT"), "hold_still") == "Bitte stillhalten."
    assert texts.text("de", "a_code_without_words") == "a_code_without_words"
    assert texts.language("") == "en"


@pytest.mark.parametrize(
    "files",
    [
        {"en.toml": 'a = "A"\nb = "B"\n', "de.toml": 'a = "A"\n'},
        {"en.toml": 'a = ""\n'},
        {"en.toml": "a = 1\n"},
        {"en.toml": "no toml"},
    ],
)
def test_words_that_are_missing_or_wrong_stop_the_start(tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DomainError) as caught:
        GuidanceTexts.load(tmp_path)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.parametrize("content", ["", "face = []\ndocument = []\n", "[[face]]\nmeasur = 1\n", "no toml"])
def test_gates_that_are_wrong_stop_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DomainError) as caught:
        load_gates(path)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
