"""`vidence events tail`: tells events while they happen."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.console import Console
from rich.text import Text

from vidence.event.v1 import event_service_pb2
from vidence_cli.events.selection import Start, chosen_events, chosen_start, filter_options, start_options
from vidence_cli.events.telling import JsonTelling, PersonTelling, Telling
from vidence_cli.exit_codes import ExitCode
from vidence_cli.live import plain
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import Client, Selection, VidenceError
from vidence_client.events import EventWatch


@click.command()
@filter_options
@start_options
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many events.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End after this time; with -n a failure where events are missing then.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell also what events carry.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def tail(
    context: click.Context,
    /,
    *,
    count: int | None,
    timeout: float | None,
    verbose: bool,
    as_json: bool,
    **_: object,
) -> None:
    """Tell events while they happen, one line each, until Ctrl-C; a broken connection is opened again."""
    errors = Console(stderr=True)
    telling: Telling = PersonTelling(Console(), errors, verbose=verbose)
    if as_json or not sys.stdout.isatty():
        telling = JsonTelling()
    following = _Following(telling, errors, count)
    wanted, start = chosen_events(context.params), chosen_start(context)
    asyncio.run(_follow(chosen_server(context), start, wanted, following, timeout))
    context.exit(ExitCode.FAILED if following.missing else ExitCode.FINE)


class _Following:
    """Tells messages until enough events came."""

    def __init__(self, telling: Telling, errors: Console, count: int | None) -> None:
        self._telling = telling
        self._errors = errors
        self.missing = count
        """Events that are still to come; None: no end."""

    def take(self, response: event_service_pb2.SubscribeResponse) -> bool:
        """Tells one message, cut where enough is told; returns whether that was the last."""
        if self.missing is not None and len(response.events) >= self.missing:
            response = _first_events(response, self.missing)
        self._telling.take(response)
        if self.missing is not None:
            self.missing -= len(response.events)
        return self.missing == 0

    def reconnected(self, why: VidenceError) -> None:
        """Tells that the connection broke, and that there is a new one."""
        self._errors.print(Text.assemble(("connected again ", "yellow"), f"after {plain(str(why))}"))


def _first_events(
    response: event_service_pb2.SubscribeResponse, count: int
) -> event_service_pb2.SubscribeResponse:
    """The message as it were if it held only its first events: its cursor is that of the last of them."""
    kept = response.events[:count]
    return event_service_pb2.SubscribeResponse(
        events=kept, cursor=kept[-1].cursor, previous_cursor=response.previous_cursor
    )


async def _follow(
    choice: ServerChoice,
    start: Start,
    wanted: Selection,
    following: _Following,
    timeout: float | None,
) -> None:
    limit = asyncio.timeout(timeout)
    try:
        async with limit, connect(choice) as client:
            watch = _watch(client, start, wanted, following)
            async for response in watch.messages():
                if following.take(response):
                    return
    except TimeoutError:
        if not limit.expired():
            raise


def _watch(client: Client, start: Start, wanted: Selection, following: _Following) -> EventWatch:
    return client.events.subscribe(
        types=wanted.types,
        sources=wanted.sources,
        subject=wanted.subject,
        attributes=wanted.attributes,
        minimum_severity=wanted.minimum_severity,
        after=start.after,
        since=start.since,
        from_start=start.from_start,
        # a gap is told like every other message; what matters here is that it is no error
        on_gap=(lambda _: None) if start.skip_expired else None,
        on_reconnect=following.reconnected,
    )
