"""Which events a command is about: the options that `tail`, `list` and `record` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.moments import Moment
from vidence_client import Selection

F = TypeVar("F", bound=Callable[..., Any])

SEVERITIES = {
    name.removeprefix("SEVERITY_").lower(): number
    for name, number in event_pb2.Severity.items()
    if number != event_pb2.SEVERITY_UNSPECIFIED
}


class Attribute(click.ParamType[tuple[str, str]]):
    """An option `KEY=VALUE`; `KEY` alone stands for an empty value."""

    name = "KEY=VALUE"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Splits at the first `=`; usage error where the key is empty."""
        if isinstance(value, tuple):
            return value
        key, _, content = value.partition("=")
        if not key:
            self.fail(f"{value!r} has no key", param, ctx)
        return key, content


@dataclass(frozen=True, slots=True)
class Start:
    """Where in the log to begin; nothing given: with what comes next."""

    after: str = ""
    since: datetime | None = None
    from_start: bool = False
    skip_expired: bool = False
    """Whether a start that is no longer kept is told by a gap; else it is an error."""


def filter_options(command: F) -> F:
    """Adds `--type`, `--source`, `--subject`, `--attribute` and `--severity`; read by `chosen_events`."""
    options = (
        click.option(
            "--type", "types", multiple=True, metavar="TYPE", help="Type; `*` fits any text. Again: or."
        ),
        click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Who tells it; as --type."),
        click.option("--subject", default="", metavar="PATTERN", help="What it is about; `*` fits any text."),
        click.option(
            "--attribute",
            "attributes",
            multiple=True,
            type=Attribute(),
            help="Property with this value; KEY alone: with any. Again: and.",
        ),
        click.option("--severity", type=click.Choice(list(SEVERITIES)), help="This severity and above."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_events(given: Mapping[str, Any]) -> Selection:
    """Reads the options of `filter_options`."""
    return Selection(
        types=given["types"],
        sources=given["sources"],
        subject=given["subject"],
        attributes=dict(given["attributes"]),
        minimum_severity=chosen_severity(given["severity"]),
    )


def chosen_severity(name: str | None) -> event_pb2.Severity.ValueType:
    """Reads an option of `SEVERITIES`."""
    return event_pb2.SEVERITY_UNSPECIFIED if name is None else SEVERITIES[name]


def start_options(command: F) -> F:
    """Adds `--after`, `--since`, `--from-start` and `--on-expired`; read by `chosen_start`."""
    options = (
        click.option("--after", default="", metavar="CURSOR", help="Start after this cursor."),
        click.option(
            "--since", type=Moment(), help="Start at this time: 2026-01-31T12:00, or 10m for ten minutes ago."
        ),
        click.option("--from-start", is_flag=True, help="Start at the oldest event that is kept."),
        click.option(
            "--on-expired",
            type=click.Choice(["fail", "gap"]),
            default="fail",
            show_default=True,
            help="When the start is no longer kept: fail, or tell the gap and go on.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_start(context: click.Context) -> Start:
    """Reads the options of `start_options`.

    Raises:
        click.UsageError: More than one start was given.
    """
    given = context.params
    if sum((bool(given["after"]), given["since"] is not None, given["from_start"])) > 1:
        raise click.UsageError("--after, --since and --from-start exclude each other", context)
    return Start(given["after"], given["since"], given["from_start"], given["on_expired"] == "gap")


def subscribe_request(
    start: Start, wanted: Selection, *, heartbeat_period_s: float | None = None
) -> event_service_pb2.SubscribeRequest:
    """Makes the request that these options stand for."""
    request = event_service_pb2.SubscribeRequest()
    if start.skip_expired:
        request.on_expired = stream_control_pb2.ON_EXPIRED_GAP
    if (event_filter := wanted.to_filter()).ByteSize():
        request.filter.CopyFrom(event_filter)
    if start.after:
        request.after_cursor = start.after
    elif start.since is not None:
        request.since_time.FromDatetime(start.since)
    elif start.from_start:
        request.position = stream_control_pb2.START_POSITION_EARLIEST
    if heartbeat_period_s is not None:
        request.heartbeat_period.FromNanoseconds(round(heartbeat_period_s * 1e9))
    return request
