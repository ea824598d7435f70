"""`vidence smoke`: asks every RPC and every HTTP path once."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
import sys
import time
from collections.abc import Collection
from pathlib import Path

import click
from rich.console import Console

from vidence_cli.exit_codes import ExitCode
from vidence_cli.smoke.contract import known_rpcs
from vidence_cli.smoke.http import HttpVisit
from vidence_cli.smoke.outcome import Outcome
from vidence_cli.smoke.picture import as_json as picture_json
from vidence_cli.smoke.picture import sample_picture
from vidence_cli.smoke.probe import Kept
from vidence_cli.smoke.probes.http import HTTP_CLEAN_UP, HTTP_PROBES
from vidence_cli.smoke.probes.table import TOURS
from vidence_cli.smoke.report import all_well, as_json, tell
from vidence_cli.smoke.visit import Visit
from vidence_client import ServerUnreachable
from vidence_client.channel import Channel
from vidence_client.credentials import Credentials

_CONNECT_S = 10.0


@click.command()
@click.argument("address", metavar="ADDRESS", envvar="VIDENCE_SERVER", default="127.0.0.1:50051")
@click.option("--http", "url", metavar="URL", help="Door for HTTP, to ask its paths too: http://host:port.")
@click.option(
    "--service",
    "services",
    multiple=True,
    type=click.Choice(list(TOURS)),
    help="Ask only this service; repeatable. Unset: all of them, each must be there.",
)
@click.option(
    "--ca", type=click.Path(exists=True, path_type=Path), help="PEM that signs the door's certificate."
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For everything together.",
)
@click.option("--json", "as_lines", is_flag=True, help="JSON; the default where stdout is no terminal.")
@click.pass_context
def smoke(
    context: click.Context,
    /,
    *,
    address: str,
    url: str | None,
    services: tuple[str, ...],
    ca: Path | None,
    deadline: float,
    as_lines: bool,
) -> None:
    """Ask every RPC at ADDRESS once, and every HTTP path; leaves no library, batch or session behind.

    Its credential is that of the environment: VIDENCE_API_KEY or VIDENCE_TOKEN.

    The events it publishes stay in the log as long as others do; their source is `vidence-smoke/…`.
    """
    started_s = time.monotonic()
    wanted = services or tuple(TOURS)
    outcomes = asyncio.run(_run(address, url, wanted, deadline, ca))
    took_s = time.monotonic() - started_s
    if as_lines or not sys.stdout.isatty():
        click.echo(json.dumps(as_json(outcomes, took_s), ensure_ascii=False))
    else:
        tell(Console(), outcomes, took_s)
    context.exit(ExitCode.FINE if all_well(outcomes) else ExitCode.FAILED)


async def _run(
    address: str, url: str | None, services: Collection[str], deadline_s: float, ca: Path | None
) -> list[Outcome]:
    run = secrets.token_hex(6)
    picture = picture_json(sample_picture())
    rpcs = known_rpcs()
    credentials = Credentials.from_environ(os.environ)
    channel = Channel(address, credentials=credentials)
    until_s = asyncio.get_running_loop().time() + deadline_s
    visits: list[asyncio.Task[list[Outcome]]] = []
    try:
        await _connected(channel, min(_CONNECT_S, deadline_s))
        # Services are asked side by side: none waits for another's reading.
        async with asyncio.TaskGroup() as group:
            for name in services:
                visit = Visit(name, channel.rpc, rpcs, Kept(run, picture), until_s)
                visits.append(group.create_task(visit.run(TOURS[name])))
            if url is not None:
                door = HttpVisit(
                    url,
                    Kept(run, picture),
                    time.monotonic() + deadline_s,
                    headers=dict(credentials.metadata()),
                    tls=ssl.create_default_context(cafile=str(ca)) if ca is not None else None,
                )
                wanted = [probe for probe in HTTP_PROBES if probe.service in (*services, "http")]
                left = [probe for probe in HTTP_CLEAN_UP if probe.service in services]
                visits.append(group.create_task(door.run(wanted, left)))
        return [outcome for done in visits for outcome in done.result()]
    finally:
        await channel.close()


async def _connected(channel: Channel, timeout_s: float) -> None:
    """Waits for the connection; raises `ServerUnreachable` where there is none in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await channel.rpc.channel_ready()
    except TimeoutError:
        raise ServerUnreachable(f"nothing answers at {channel.address} within {timeout_s:g} s") from None
