"""`vidence worker`: a process that works for a batch service elsewhere."""

from __future__ import annotations

import logging
import os
import random
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click
import structlog
import uvloop

from vidence_server.batch import app
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.heap import settled_heap
from vidence_server.runtime.lifecycle import until_signal
from vidence_server.runtime.logs import configure_logs
from vidence_server.runtime.metrics_server import MetricsServer
from vidence_server.suite import batch
from vidence_server.suite.opening import open_process
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

_USAGE = 2


@click.command()
@click.argument("address", default="127.0.0.1:50054")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    help="Items at once; unset: the setting `batch.workers`, else as many as the engine runs steps.",
)
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="VIDENCE_CONFIG",
    help="TOML file with one table per section; `vidence config show` prints one.",
)
def worker(address: str, concurrency: int | None, path: Path | None) -> None:
    """Works for the batch service at ADDRESS until SIGTERM or Ctrl-C; any number may.

    Reads images with its own engine. Finishes what it has when it is asked to stop; what a killed worker had
    is given to others when its leases run out.
    """
    try:
        settings = load_suite_settings(path, os.environ)
        configure_logs(settings.log, sys.stderr)
        logging.captureWarnings(capture=True)
        uvloop.run(_work(settings, address, concurrency))
    except DomainError as error:
        click.echo(f"vidence: {error.message}", err=True)
        raise SystemExit(_USAGE if error.reason is Reason.CONFIGURATION_INVALID else 1) from None


async def _work(settings: SuiteSettings, address: str, concurrency: int | None) -> None:
    # Whatever the section says of the server's own workers, this process is one.
    wanted = settings.model_copy(update={"batch": settings.batch.model_copy(update={"workers": None})})
    log = structlog.get_logger("vidence_server.worker")
    async with AsyncExitStack() as stack:
        process = await open_process(stack, wanted, [batch])
        await stack.enter_async_context(MetricsServer(settings.metrics, process.metrics))
        await process.models.warm_up()
        count = concurrency or settings.batch.workers or process.models.workers
        opened = await stack.enter_async_context(
            app.remote_worker(
                address,
                batch.reader_of(process),
                concurrency=count,
                clock=process.clock,
                ids=process.ids,
                random=random.Random().random,
                own_calls=process.own_calls,
            )
        )
        app.export_worker(process.metrics, opened)
        log.info("working", address=address, concurrency=count)
        with settled_heap():
            await until_signal()
        log.info("stopping")
