"""Tells the messages of the bus's watch streams as they come, to a person or to a program."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from rich.console import Console
from rich.text import Text

from vidence.event.v1 import event_service_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.lines import event_line, gap_text, local_time
from vidence_cli.events.payload import response_members
from vidence_cli.output import write_members

WatchResponse: TypeAlias = event_service_pb2.SubscribeResponse | event_service_pb2.WatchStatisticsResponse


class Telling(Protocol):
    """Takes every message of a stream."""

    def take(self, response: WatchResponse) -> None:
        """Tells one message."""
        ...


class JsonTelling:
    """Each message as one line of ProtoJSON on stdout."""

    def take(self, response: WatchResponse) -> None:
        """Writes one message."""
        write_members(response_members(response))


class PersonTelling:
    """One line per event; gaps and endings on stderr.

    Args:
        console: Where events go.
        errors: Where everything about the stream goes.
        verbose: Tell also what events carry.
    """

    def __init__(self, console: Console, errors: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._errors = errors
        self._verbose = verbose

    def take(self, response: WatchResponse) -> None:
        """Prints what a person wants to know of one message."""
        if isinstance(response, event_service_pb2.SubscribeResponse):
            for event in response.events:
                self._console.print(event_line(event, verbose=self._verbose))
        else:
            for snapshot in response.events:
                self._console.print(_snapshot_line(snapshot))
        match response.control.WhichOneof("control"):
            case "gap":
                self._errors.print(gap_text(response.control.gap))
            case "disconnected":
                self._errors.print(_disconnected_text(response.control.disconnected))
            case _:
                pass


def _disconnected_text(disconnected: stream_control_pb2.Disconnected) -> Text:
    reason = stream_control_pb2.DisconnectReason.Name(disconnected.reason)
    return Text.assemble(
        ("the server ended the stream: ", "yellow"), reason.removeprefix("DISCONNECT_REASON_")
    )


def _snapshot_line(event: event_service_pb2.StatisticsEvent) -> Text:
    numbers = event.snapshot
    return Text.assemble(
        (local_time(event.emit_time), "dim"),
        f"  {numbers.total_published:,} published ({numbers.published_per_second:,.0f}/s)",
        f"  {numbers.total_delivered:,} delivered ({numbers.delivered_per_second:,.0f}/s)",
        f"  {numbers.subscriber_count} subscribers  {numbers.pending_events} pending",
        (f"  {numbers.total_errors:,} errors" if numbers.total_errors else "", "red"),
    )
