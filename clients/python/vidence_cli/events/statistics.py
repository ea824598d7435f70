"""`vidence events stats`: the bus in numbers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vidence.event.v1 import event_service_pb2, event_statistics_pb2
from vidence_cli.events.lines import local_time
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options

_ROWS_OF_SUBSCRIBERS = 10


@click.command()
@click.option("--watch", is_flag=True, help="Go on telling them, about once a second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def stats(context: click.Context, /, *, watch: bool, as_json: bool, **_: object) -> None:
    """Tell the numbers of the bus: what was published, delivered, refused, who subscribes, who lags."""
    as_json = as_json or not sys.stdout.isatty()
    choice = chosen_server(context)
    if watch:
        asyncio.run(_watch(choice, as_json=as_json))
        return
    numbers = asyncio.run(_get(choice))
    if as_json:
        write_line(event_service_pb2.GetStatisticsResponse(statistics=numbers))
    else:
        Console().print(render_statistics(numbers))


async def _get(choice: ServerChoice) -> event_statistics_pb2.Statistics:
    async with connect(choice) as client:
        return await client.events.statistics()


async def _watch(choice: ServerChoice, *, as_json: bool) -> None:
    async with connect(choice) as client, client.events.watch_statistics() as watch:
        if as_json:
            async for response in watch.messages():
                write_line(response)
            return
        with Live(Text("waiting for numbers …", style="dim"), console=Console()) as live:
            async for event in watch:
                live.update(render_statistics(event.snapshot), refresh=True)


def render_statistics(numbers: event_statistics_pb2.Statistics) -> RenderableType:
    """Draws the numbers for a person."""
    parts: list[RenderableType] = [_totals(numbers)]
    if numbers.subscribers:
        parts += [Text(), _subscribers(numbers)]
    return Group(*parts)


def _totals(numbers: event_statistics_pb2.Statistics) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("what", style="cyan", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("beside", style="dim", overflow="fold")
    state = Text("running", style="green") if numbers.running else Text("not running", style="bold red")
    log = numbers.log
    for what, number, beside in (
        ("state", state, f"since {numbers.uptime_duration.ToNanoseconds() / 1e9:,.0f} s"),
        ("published", numbers.total_published, f"{numbers.published_per_second:,.1f}/s"),
        ("delivered", numbers.total_delivered, f"{numbers.delivered_per_second:,.1f}/s"),
        ("errors", numbers.total_errors, _by_reason(numbers.errors_by_reason)),
        ("repeated", numbers.total_repeated, ""),
        ("pending", numbers.pending_events, ""),
        ("dropped", sum(numbers.dropped_by_reason.values()), _by_reason(numbers.dropped_by_reason)),
        ("subscribers", numbers.subscriber_count, f"{numbers.total_subscriptions:,} opened so far"),
        ("stale removed", numbers.stale_removed, ""),
        ("heartbeats", numbers.total_heartbeats, ""),
        ("kept", log.event_count, f"{log.size_bytes / 2**20:,.1f} MiB{_since(log)}"),
        ("expired", log.total_expired, ""),
    ):
        table.add_row(what, number if isinstance(number, Text) else f"{number:,}", beside)
    return table


def _since(log: event_statistics_pb2.LogStatistics) -> str:
    return f", since {local_time(log.oldest_time)}" if log.HasField("oldest_time") else ""


def _by_reason(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(reason)} {counts[reason]:,}" for reason in sorted(counts))


def _subscribers(numbers: event_statistics_pb2.Statistics) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("subscriber", "since", "lag", "delivered", "dropped", "stalled"):
        table.add_column(title, justify="left" if title in {"subscriber", "since"} else "right", no_wrap=True)
    for one in numbers.subscribers[:_ROWS_OF_SUBSCRIBERS]:
        stalled_s = one.stalled_duration.ToNanoseconds() / 1e9
        table.add_row(
            Text(plain(one.connection_id)),
            local_time(one.open_time),
            f"{one.lag_events:,}",
            f"{one.delivered:,}",
            f"{one.dropped:,}",
            f"{stalled_s:.1f} s" if stalled_s else "",
        )
    return table
