"""`vidence capture top`: all sessions, once a second."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vidence.capture.v1 import capture_service_pb2
from vidence_cli.capture.telling import state_name
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options

_Statistics = capture_service_pb2.GetStreamStatisticsResponse


@click.command()
@click.option("-n", "--count", type=click.IntRange(min=1), help="End after so many rounds.")
@click.option(
    "--period",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def top(context: click.Context, /, *, count: int | None, period: float, as_json: bool, **_: object) -> None:
    """Show all capture sessions, their frames and watchers, until Ctrl-C."""
    asyncio.run(_show(chosen_server(context), count, period, as_json=as_json or not sys.stdout.isatty()))


async def _show(choice: ServerChoice, count: int | None, period_s: float, *, as_json: bool) -> None:
    async with connect(choice) as client:
        before: _Statistics | None = None
        left = count
        with Live(console=Console(), auto_refresh=False, transient=False) as live:
            while left is None or left > 0:
                now = await client.capture.statistics()
                if as_json:
                    write_line(now)
                else:
                    live.update(render(now, before, live.console.height), refresh=True)
                before = now
                left = None if left is None else left - 1
                if left != 0:
                    await asyncio.sleep(period_s)


def render(now: _Statistics, before: _Statistics | None, rows: int) -> RenderableType:
    """Draws the numbers.

    Args:
        now: The newest.
        before: Those of the round before, for rates; None: this is the first.
        rows: Of the screen.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name, justify in (
        ("session", "left"),
        ("state", "left"),
        ("fps", "right"),
        ("frames", "right"),
        ("dropped", "right"),
        ("refused", "right"),
        ("ms", "right"),
        ("watchers", "right"),
        ("backlog", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # literals of the tuple
    elapsed_s = _elapsed_s(now, before)
    known = {one.session_id: one for one in before.sessions} if before is not None else {}
    for one in now.sessions[: max(1, rows - 6)]:
        table.add_row(*_cells(one, known.get(one.session_id), elapsed_s))
    return Group(_header(now, before, elapsed_s), table)


def _header(now: _Statistics, before: _Statistics | None, elapsed_s: float) -> Text:
    frames = now.frames.processed - (before.frames.processed if before is not None else 0)
    rate = f"{frames / elapsed_s:.1f}" if elapsed_s else "–"
    time = now.snapshot_time.ToDatetime(tzinfo=UTC).astimezone().strftime("%H:%M:%S")
    return Text.assemble(
        (time, "dim"),
        f"  {now.active_session_count} active of {now.session_count} sessions, {now.pusher_count} pushing, "
        f"{now.watcher_count} watching, {rate} frames/s, {now.frames.superseded} superseded, "
        f"{now.frames.refused} refused",
    )


def _cells(
    one: capture_service_pb2.SessionStatistics,
    before: capture_service_pb2.SessionStatistics | None,
    elapsed_s: float,
) -> tuple[str, ...]:
    frames = one.frames.received - (before.frames.received if before is not None else 0)
    has_mean = one.HasField("mean_frame_duration")
    mean_ms = one.mean_frame_duration.ToNanoseconds() / 1e6
    return (
        one.session_id,
        state_name(one.state),
        f"{frames / elapsed_s:.1f}" if elapsed_s and before is not None else "–",
        str(one.frames.received),
        str(one.frames.superseded),
        str(one.frames.refused),
        f"{mean_ms:.0f}" if has_mean else "–",
        str(one.watcher_count),
        str(one.backlog_events),
    )


def _elapsed_s(now: _Statistics, before: _Statistics | None) -> float:
    if before is None:
        return 0.0
    return (_time(now) - _time(before)).total_seconds()


def _time(statistics: _Statistics) -> datetime:
    return statistics.snapshot_time.ToDatetime(tzinfo=UTC)
