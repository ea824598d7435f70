"""The state machine as data: every row is one way from a state to another.

Of the rows with the same state and trigger, the first whose guards all pass is taken. No other code moves a
session; `docs/concepts/capture.md` and the comment of `SessionState` show these rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vidence_server.capture.domain.states import LIVE, Guard, State, Trigger


@dataclass(frozen=True, slots=True)
class Row:
    """One way."""

    sources: tuple[State, ...]
    """States that it leads out of."""
    trigger: Trigger
    guards: tuple[Guard, ...]
    """All must pass; they are asked in this order."""
    to: State


def _row(source: State, trigger: Trigger, to: State, *guards: Guard) -> Row:
    return Row((source,), trigger, guards, to)


def _anywhere(trigger: Trigger, to: State) -> Row:
    return Row(LIVE, trigger, (), to)


S, T, G = State, Trigger, Guard

TABLE: tuple[Row, ...] = (
    _row(S.SEARCHING, T.SUBJECT_READY, S.LOCKED, G.GATES_PASSED),
    _row(S.LOCKED, T.SUBJECT_LOST, S.SEARCHING),
    _row(S.LOCKED, T.GATE_FAILED, S.SEARCHING),
    _row(S.LOCKED, T.MOVED, S.LOCKED),
    _row(S.LOCKED, T.STEADY, S.COUNTDOWN, G.STABLE_FRAMES, G.STABLE_DURATION),
    _row(S.LOCKED, T.STALLED, S.SEARCHING),
    _row(S.COUNTDOWN, T.SUBJECT_LOST, S.SEARCHING),
    _row(S.COUNTDOWN, T.GATE_FAILED, S.SEARCHING),
    _row(S.COUNTDOWN, T.MOVED, S.LOCKED),
    _row(S.COUNTDOWN, T.ELAPSED, S.CAPTURED, G.COUNTDOWN_DURATION, G.LIVENESS_FRAMES),
    _row(S.COUNTDOWN, T.STALLED, S.SEARCHING),
    _row(S.CAPTURED, T.REJECTED, S.SEARCHING, G.ATTEMPTS_LEFT),
    _row(S.CAPTURED, T.REJECTED, S.FAILED),
    _row(S.CAPTURED, T.RETAKE, S.SEARCHING, G.ATTEMPTS_LEFT),
    _row(S.CAPTURED, T.CONFIRM, S.CHALLENGE, G.LIVENESS_PASSED, G.CHALLENGES_DUE),
    _row(S.CAPTURED, T.CONFIRM, S.CONFIRMED, G.LIVENESS_PASSED),
    _row(S.CHALLENGE, T.CHALLENGE_MET, S.CHALLENGE, G.CHALLENGES_LEFT),
    _row(S.CHALLENGE, T.CHALLENGE_MET, S.CONFIRMED),
    _row(S.CHALLENGE, T.CHALLENGE_FAILED, S.SEARCHING, G.ATTEMPTS_LEFT),
    _row(S.CHALLENGE, T.CHALLENGE_FAILED, S.FAILED),
    _row(S.CHALLENGE, T.SUBJECT_LOST, S.SEARCHING, G.ATTEMPTS_LEFT),
    _row(S.CHALLENGE, T.SUBJECT_LOST, S.FAILED),
    _row(S.CHALLENGE, T.STALLED, S.SEARCHING, G.ATTEMPTS_LEFT),
    _row(S.CHALLENGE, T.STALLED, S.FAILED),
    _row(S.CONFIRMED, T.NEXT_TARGET, S.SEARCHING, G.TARGETS_LEFT),
    _row(S.CONFIRMED, T.FINISH, S.PROCESSING, G.PROCESSING_DUE),
    _row(S.CONFIRMED, T.FINISH, S.COMPLETED),
    _row(S.PROCESSING, T.PROCESSED, S.COMPLETED),
    _row(S.PROCESSING, T.RESTART, S.PROCESSING),
    Row(
        (S.SEARCHING, S.LOCKED, S.COUNTDOWN, S.CAPTURED, S.CHALLENGE, S.CONFIRMED),
        T.RESTART,
        (),
        S.SEARCHING,
    ),
    _anywhere(T.CANCEL, S.CANCELLED),
    _anywhere(T.EXPIRE, S.EXPIRED),
    _anywhere(T.SUSPECT, S.FAILED),
)


def rows_of(state: State, trigger: Trigger) -> list[Row]:
    """The ways out of a state by a trigger, in the order in which they are tried."""
    return [row for row in TABLE if row.trigger is trigger and state in row.sources]


def table_lines() -> Iterator[str]:
    """The table for people, a line a row: from | trigger | guards | to."""
    yield "from | trigger | guards | to"
    for row in TABLE:
        source = "(any that is not over)" if row.sources == LIVE else ", ".join(row.sources)
        yield f"{source} | {row.trigger} | {', '.join(row.guards) or '-'} | {row.to}"
