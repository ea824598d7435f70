"""The table is the machine: documents show it, no walk leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.capture_session import Rehearsal, captured, frame
from vidence_server.capture.domain import events as ev
from vidence_server.capture.domain.results import Evidence
from vidence_server.capture.domain.states import LIVE, TERMINAL, State, Target, Trigger
from vidence_server.capture.domain.table import TABLE, rows_of, table_lines

ROOT = Path(__file__).resolve().parents[4]
PROTO = ROOT / "protos/vidence/capture/v1/session.proto"
DOCS = ROOT / "docs/concepts/capture.md"


@pytest.mark.requirement("R-CA2")
def test_the_proto_and_the_documents_show_the_table() -> None:
    lines = list(table_lines())
    comment = "".join(f"// {line}\n" for line in lines)
    assert comment in PROTO.read_text(encoding="utf-8"), f"the comment of SessionState must be\n{comment}"
    cells = [line.split(" | ") for line in lines]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [cells[0], ["---"] * 4, *cells[1:]])
    assert table in DOCS.read_text(encoding="utf-8"), f"docs/concepts/capture.md must hold\n{table}"


@pytest.mark.requirement("R-CA2")
def test_every_state_is_reached_and_nothing_leads_out_of_the_last() -> None:
    reached = {State.SEARCHING}
    while more := {row.to for row in TABLE if reached & set(row.sources)} - reached:
        reached |= more
    assert reached == set(State)
    assert not any(rows_of(state, trigger) for state in TERMINAL for trigger in Trigger)
    assert all(rows_of(state, Trigger.CANCEL) and rows_of(state, Trigger.EXPIRE) for state in LIVE)


def test_a_row_behind_one_that_always_passes_is_never_reached() -> None:
    for state in State:
        for trigger in Trigger:
            rows = rows_of(state, trigger)
            assert all(row.guards for row in rows[:-1]), (state, trigger)


FRAMES = st.builds(
    frame,
    subjects=st.sampled_from([0, 1, 1, 1, 1, 2]),
    at=st.sampled_from([100.0, 100.0, 100.0, 103.0, 300.0]),
    sharpness=st.sampled_from([90.0, 90.0, 90.0, 45.0, 10.0]),
    liveness=st.sampled_from([0.9, 0.9, 0.1, None]),
    yaw=st.sampled_from([0.0, 0.0, 30.0, -30.0]),
    pitch=st.sampled_from([0.0, 20.0]),
    eyes=st.sampled_from([1.0, 0.1]),
)
STEPS = st.one_of(
    FRAMES.map(lambda seen: ("see", seen)),
    st.just(("see", frame(liveness=0.9))),
    st.just(("store", None)),
    st.just(("not_stored", None)),
    st.just(("confirm", None)),
    st.just(("retake", None)),
    st.just(("processed", None)),
    st.sampled_from([0.1, 2.0, 7.0]).map(lambda seconds: ("wait", seconds)),
)


@pytest.mark.requirement("R-CA2")
@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=80),
    targets=st.sampled_from([(Target.FACE,), (Target.DOCUMENT_FRONT, Target.DOCUMENT_BACK, Target.FACE)]),
    liveness=st.booleans(),
    challenges=st.integers(0, 2),
    by_person=st.booleans(),
)
def test_no_walk_leaves_the_table(
    steps: list[tuple[str, object]],
    targets: tuple[Target, ...],
    liveness: bool,
    challenges: int,
    by_person: bool,
) -> None:
    from vidence_server.core.errors import DomainError, Reason

    face = Target.FACE in targets
    walk = Rehearsal.of(
        *targets,
        passive_liveness=liveness and face,
        challenge_count=challenges if face else 0,
        verification=len(targets) == 3,
        confirm_by_person=by_person,
    )
    session = walk.session
    for name, argument in steps:
        match name:
            case "see":
                walk.see(argument, store=False)  # type: ignore[arg-type]  # frames come with "see"
            case "wait":
                walk.wait(argument)  # type: ignore[arg-type]  # seconds come with "wait"
            case "store":
                walk.take(session.stored(captured(session.target or Target.FACE), walk.now))
            case "not_stored":
                walk.take(session.not_stored(DomainError(Reason.STORAGE_FULL, ""), walk.now))
            case "processed":
                walk.take(session.processed(None, Evidence(), walk.now))
            case _:
                walk.take(getattr(session, name)(walk.now))
    _check_walk(walk)


def _check_walk(walk: Rehearsal) -> None:
    state = State.SEARCHING
    ways = {(source, row.trigger, row.to) for row in TABLE for source in row.sources}
    for event in walk.told:
        if isinstance(event, ev.TransitionTried):
            assert event.source is state or not event.accepted or event.attempt_count > 1
            if event.accepted:
                assert event.to is not None
                assert (event.source, event.trigger, event.to) in ways
                assert all(guard.passed for guard in event.guards)
        if isinstance(event, ev.StateChanged):
            assert event.old is state
            state = event.new
    assert state is walk.state
    ends = [index for index, event in enumerate(walk.told) if isinstance(event, ev.SessionEnded)]
    assert ends == ([len(walk.told) - 1] if walk.session.over else [])
    assert len(walk.session.captured) <= len(walk.session.plan.targets)
