"""`vidence events list` and `get`: looks up events that are kept."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Console
from rich.text import Text

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_cli.events.lines import event_line, event_table
from vidence_cli.events.moments import Moment
from vidence_cli.events.payload import response_members
from vidence_cli.events.selection import chosen_events, filter_options
from vidence_cli.output import write_members
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import Selection

_PAGE = 100


@click.command("list")
@filter_options
@click.option("--query", default="", metavar="TEXT", help="Text in type, source, subject or id.")
@click.option("--since", type=Moment(), help="From this time on: 2026-01-31T12:00, or 10m for ten minutes.")
@click.option("--until", type=Moment(), help="Before this time.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Events at most.")
@click.option("--page-size", type=click.IntRange(1, 1000), help="Events per call.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def list_events(
    context: click.Context,
    /,
    *,
    query: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    page_size: int | None,
    as_json: bool,
    **_: object,
) -> None:
    """List kept events, the newest first."""
    wanted = _Wanted(chosen_events(context.params), query, since, until, min(page_size or _PAGE, limit))
    as_json = as_json or not sys.stdout.isatty()
    asyncio.run(_list(chosen_server(context), wanted, limit, as_json=as_json))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to list, and how many events per call."""

    selection: Selection
    query: str
    since: datetime | None
    until: datetime | None
    page_size: int


async def _list(choice: ServerChoice, wanted: _Wanted, limit: int, *, as_json: bool) -> None:
    """Tells page after page until the limit."""
    tell = _tell_json if as_json else _tell_person
    token = ""
    async with connect(choice) as client:
        while limit:
            page = await client.events.list_page(
                wanted.selection,
                query=wanted.query,
                since=wanted.since,
                until=wanted.until,
                page_size=wanted.page_size,
                page_token=token,
            )
            del page.events[limit:]
            limit -= len(page.events)
            tell(page)
            token = page.next_page_token
            if not token:
                return


def _tell_json(page: event_service_pb2.ListEventsResponse) -> None:
    write_members(response_members(page))


def _tell_person(page: event_service_pb2.ListEventsResponse) -> None:
    if page.events:
        Console().print(event_table(list(page.events)))
    if page.corrupt_count:
        told = Text(f"{page.corrupt_count} damaged events were left out", style="yellow")
        Console(stderr=True).print(told)


@click.command("get")
@click.argument("cursor", required=False)
@click.option("--source", metavar="SOURCE", help="Who told it; with --id.")
@click.option("--id", "event_id", metavar="ID", help="Its id within the source.")
@click.option("--json", "as_json", is_flag=True, help="JSON; the default where stdout is no terminal.")
@server_options
@click.pass_context
def get_one(
    context: click.Context,
    /,
    *,
    cursor: str | None,
    source: str | None,
    event_id: str | None,
    as_json: bool,
    **_: object,
) -> None:
    """Get one kept event, by CURSOR or by its source and id."""
    if (cursor is None) == (source is None or event_id is None) or (cursor and (source or event_id)):
        raise click.UsageError("give either CURSOR, or --source and --id", context)
    event = asyncio.run(_get(chosen_server(context), cursor or "", source or "", event_id or ""))
    if as_json or not sys.stdout.isatty():
        write_members(response_members(event_service_pb2.GetEventResponse(event=event)))
    else:
        Console().print(event_line(event, verbose=True))


async def _get(choice: ServerChoice, cursor: str, source: str, event_id: str) -> event_pb2.Event:
    async with connect(choice) as client:
        return await client.events.get(cursor, source=source, id=event_id)
