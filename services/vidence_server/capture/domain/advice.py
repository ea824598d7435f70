"""What the person should do now: a code for each state and each gate that fails."""

from __future__ import annotations

from collections.abc import Mapping

from vidence_server.capture.domain.challenges import Challenge
from vidence_server.capture.domain.gates import GateReport
from vidence_server.capture.domain.measurement import PRESENCE
from vidence_server.capture.domain.states import State, Target

OF_STATE: Mapping[State, str] = {
    State.LOCKED: "hold_still",
    State.COUNTDOWN: "capturing",
    State.CAPTURED: "checking",
    State.PROCESSING: "reading",
    State.COMPLETED: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.EXPIRED: "expired",
}
OF_TARGET: Mapping[Target, str] = {
    Target.FACE: "show_face",
    Target.DOCUMENT_FRONT: "show_document",
    Target.DOCUMENT_BACK: "turn_document",
}
OF_CHALLENGE: Mapping[Challenge, str] = {challenge: str(challenge).lower() for challenge in Challenge}
CONFIRM_PICTURE = "confirm_picture"
CODES = frozenset({*OF_STATE.values(), *OF_TARGET.values(), *OF_CHALLENGE.values(), CONFIRM_PICTURE})
"""Every code but those of gates, which come with the gates."""


def advice(
    state: State,
    target: Target | None,
    report: GateReport | None,
    *,
    challenge: Challenge | None,
    to_be_confirmed: bool,
) -> str:
    """The code of the advice; empty where there is none.

    Args:
        state: Of the session.
        target: What is to be shown.
        report: What the gates said of the newest frame; None: there is none yet.
        challenge: What is asked of the person.
        to_be_confirmed: Whether the person is asked whether the picture is good.
    """
    if state is State.CAPTURED and to_be_confirmed:
        return CONFIRM_PICTURE
    if state is State.CHALLENGE and challenge is not None:
        return OF_CHALLENGE[challenge]
    if state is not State.SEARCHING or target is None:
        return OF_STATE.get(state, "")
    several = report is not None and report.judged and report.judged[0].measure.value > 1
    if report is None or (PRESENCE in report.failing and not several):
        return OF_TARGET[target]
    return report.guidance or OF_STATE[State.LOCKED]
