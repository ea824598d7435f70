"""Judges recordings by the validators of the SDK."""

from __future__ import annotations

from typing import cast

from vidence_cli.recordings.format import Connection, Recording
from vidence_cli.watch_record import watch_record
from vidence_client import conformance
from vidence_client.conformance import Violation


def judge(recording: Recording) -> list[Violation]:
    """What is wrong with a recorded stream, by validator and position; empty where all guarantees hold.

    Positions count the messages of all connections, from 0.
    """
    ends = [] if recording.connections[-1].status is not None else [_cut_off(recording)]
    if recording.header.kind.watch:
        connections = tuple(
            watch_record(connection.request, connection.messages, connection.status)
            for connection in recording.connections
        )
        return conformance.check_watch(conformance.Watcher(connections)) + ends
    violations = []
    first = 0
    for connection in recording.connections:
        violations += [
            Violation(found.validator, found.message, found.position + first)
            for found in _judge_result(connection)
        ]
        first += len(connection.arrivals)
    return violations + ends


def _cut_off(recording: Recording) -> Violation:
    last = sum(len(connection.arrivals) for connection in recording.connections)
    return Violation("Recording", "it was cut off: the last call has no status", last)


def _judge_result(connection: Connection) -> list[Violation]:
    messages = cast(list[conformance.Response], connection.messages)
    cancelled = connection.status is None or connection.status.code == "CANCELLED"
    return conformance.check_result_stream(messages, cancelled=cancelled)
