"""`vidence events publish`: publishes one event, or those of a file."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli import progress
from vidence_cli.events.draft import DraftError, put_payload, read_content, read_events
from vidence_cli.events.publishing import DEFAULT_SOURCE, Outcome, publish_each
from vidence_cli.events.selection import SEVERITIES, Attribute, chosen_severity
from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import VidenceError

DURABILITIES = {
    name.removeprefix("DURABILITY_").lower(): number
    for name, number in event_pb2.Durability.items()
    if number != event_pb2.DURABILITY_UNSPECIFIED
}
_OF_ONE_EVENT = ("subject", "event_id", "attributes", "severity", "data", "content_type")


@click.command()
@click.argument("event_type", metavar="[TYPE]", required=False)
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, help="Who tells it.")
@click.option("--subject", default="", help="What it is about.")
@click.option(
    "--id", "event_id", default="", help="Names it within its source; a second one is a repetition."
)
@click.option("--attribute", "attributes", multiple=True, type=Attribute(), help="Property to filter by.")
@click.option("--severity", type=click.Choice(list(SEVERITIES)), help="How much attention it deserves.")
@click.option("--data", metavar="JSON|@FILE", help="What it carries; `@type` names its message.")
@click.option("--content-type", metavar="TYPE", help="Media type of the data.")
@click.option("--file", "file_name", type=click.Path(allow_dash=True), help="Events as JSON lines.")
@click.option(
    "--durability",
    type=click.Choice(list(DURABILITIES)),
    default="written",
    show_default=True,
    help="What it survives.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def publish(
    context: click.Context, /, *, file_name: str | None, durability: str, as_json: bool, **given: Any
) -> None:
    """Publish an event of TYPE, or the events of a file, and tell what became of each."""
    if (file_name is None) == (given["event_type"] is None):
        raise click.UsageError("give either TYPE or --file", context)
    if file_name is not None and any(given[name] for name in _OF_ONE_EVENT):
        raise click.UsageError("with --file every event has its own properties", context)
    try:
        events = [_event(given)] if file_name is None else _events_of(file_name, str(given["source"]))
    except DraftError as error:
        raise click.ClickException(str(error)) from None
    console = None if as_json or not sys.stdout.isatty() else Console()
    outcome = Outcome(result_teller(console))
    publishing = _publish if file_name is None else partial(_publish_many, console=console)
    asyncio.run(publishing(chosen_server(context), events, DURABILITIES[durability], outcome))
    context.exit(ExitCode.FAILED if outcome.refused else ExitCode.FINE)


def _event(given: Mapping[str, Any]) -> event_pb2.Event:
    """The one event that the options describe.

    Raises:
        DraftError: Its data is not what it should be.
    """
    made = event_pb2.Event(
        type=given["event_type"],
        source=given["source"],
        id=given["event_id"],
        subject=given["subject"],
        attributes=dict(given["attributes"]),
        severity=chosen_severity(given["severity"]),
    )
    if given["data"] is not None:
        content, probable_type = read_content(given["data"])
        put_payload(made, content, given["content_type"] or probable_type)
    return _named(made)


def _events_of(file_name: str, source: str) -> list[event_pb2.Event]:
    """The events of a file, those without a source with this one.

    Raises:
        DraftError: The file cannot be read, or a line is no event.
    """
    # standard input is read before the event loop runs: a thread that waits for it could not be interrupted
    try:
        with click.open_file(file_name, encoding="utf-8") as lines:
            events = list(read_events(lines))
    except UnicodeDecodeError:
        raise DraftError(f"{click.format_filename(file_name)}: it is no text") from None
    except OSError as error:
        raise DraftError(f"{click.format_filename(file_name)}: {error.strerror}") from None
    for event in events:
        event.source = event.source or source
    return [_named(event) for event in events]


def _named(event: event_pb2.Event) -> event_pb2.Event:
    """Gives the event an id where it has none: a call that is made again then publishes nothing twice."""
    event.id = event.id or str(uuid.uuid4())
    return event


def result_teller(console: Console | None) -> Callable[[event_service_pb2.PublishResult], None]:
    """What tells one result: to a person there, or to a program where there is none."""
    if console is None:
        return write_line
    return lambda result: console.print(result_line(result))


def result_line(result: event_service_pb2.PublishResult) -> Text:
    """One result for a person."""
    if result.HasField("error"):
        failure = VidenceError.from_status(result.error)
        return Text.assemble(("✗ ", "bold red"), plain(result.id), "  ", plain(str(failure)))
    level = event_pb2.Durability.Name(result.durability).removeprefix("DURABILITY_").lower()
    what = "was there already" if result.repeated else level
    return Text.assemble(("✓ ", "green"), plain(result.id), "  ", (result.cursor, "dim"), f"  {what}")


async def _publish(
    choice: ServerChoice,
    events: Sequence[event_pb2.Event],
    durability: event_pb2.Durability.ValueType,
    outcome: Outcome,
) -> None:
    async with connect(choice) as client:
        await publish_each(client, events, durability, outcome)


async def _publish_many(
    choice: ServerChoice,
    events: Sequence[event_pb2.Event],
    durability: event_pb2.Durability.ValueType,
    outcome: Outcome,
    *,
    console: Console | None,
) -> None:
    """Over one stream, which is replaced where it breaks; see `EventPublishing.publish_in_order`."""
    with progress.counted("publishing", "events", len(events), console=console) as shown:
        async with (
            connect(choice) as client,
            aclosing(client.events.publish_in_order(events, durability=durability)) as results,
        ):
            async for result in results:
                outcome.take(result)
                shown.at(outcome.told)
