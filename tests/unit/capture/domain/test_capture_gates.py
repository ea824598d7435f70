"""Quality gates: hysteresis, order, what is told."""

from __future__ import annotations

import pytest

from fakes.capture_session import frame
from vidence_server.capture.domain.advice import CODES
from vidence_server.capture.domain.gates import Gate, GateBook, Verdict
from vidence_server.capture.domain.states import Target
from vidence_server.capture.gate_file import load_gates
from vidence_server.capture.guidance import GuidanceTexts

BLUR = Gate("sharpness", low=50, margin=10, guidance_low="too_blurred", guidance_high="never")
PRESENCE = Gate("presence", 1, 1, guidance_low="show_face", guidance_high="only_one_face")


@pytest.mark.requirement("R-CA3")
def test_a_gate_that_was_passed_is_left_only_beyond_its_margin() -> None:
    book = GateBook((BLUR,))
    passed = [book.judge(frame(sharpness=value)).passed for value in (45, 50, 45, 41, 39, 45, 50)]
    assert passed == [False, True, True, True, False, False, True]


def test_bounds_may_be_those_of_the_score() -> None:
    gate = Gate("sharpness", low=50, by_score=True)
    measure = frame(sharpness=1000.0).measures[0]
    assert gate.judge(measure, passed_before=False) is Verdict.PASSED
    assert Gate("sharpness", high=99, by_score=True).judge(measure, passed_before=False) is Verdict.TOO_HIGH


@pytest.mark.requirement("R-CA3")
def test_only_changes_are_told_and_what_fails_at_first() -> None:
    book = GateBook((PRESENCE, BLUR))
    changes = [
        [(one.measure.name, one.verdict) for one in book.judge(frame(sharpness=value)).changed]
        for value in (20, 20, 90, 90, 20)
    ]
    assert changes == [
        [("sharpness", Verdict.TOO_LOW)],
        [],
        [("sharpness", Verdict.PASSED)],
        [],
        [("sharpness", Verdict.TOO_LOW)],
    ]


@pytest.mark.requirement("R-CA6")
def test_guidance_is_about_the_most_important_gate_that_fails() -> None:
    report = GateBook((PRESENCE, BLUR)).judge(frame(subjects=2, sharpness=10))
    assert report.failing == ("presence", "sharpness")
    assert report.guidance == "only_one_face"
    assert report.score == 0


def test_a_gate_without_its_measure_fails_nothing_and_others_are_told_without_verdict() -> None:
    report = GateBook((PRESENCE, Gate("eyes_open", low=0.5))).judge(frame(sharpness=70))
    assert report.passed
    assert [(one.measure.name, one.verdict) for one in report.judged] == [
        ("presence", Verdict.PASSED),
        ("sharpness", None),
    ]


@pytest.mark.requirement("R-CA6")
def test_every_advice_has_words_in_every_language() -> None:
    texts = GuidanceTexts.load()
    gates = load_gates()
    codes = CODES | {
        code for rows in gates.values() for gate in rows for code in (gate.guidance_low, gate.guidance_high)
    } - {""}
    assert set(gates) == set(Target)
    assert texts.languages == ("en", "es", "fil")
    assert codes <= texts.codes
    for language in texts.languages:
        assert all(texts.text(language, code) != code for code in codes)


@pytest.mark.requirement("R-CA3")
def test_the_gates_of_the_service_begin_with_presence_and_each_says_what_to_do() -> None:
    for rows in load_gates().values():
        assert rows[0].measure == "presence"
        for gate in rows:
            assert gate.low is not None or gate.high is not None
            assert gate.low is None or gate.guidance_low
            assert gate.high is None or gate.guidance_high
