"""Starts the erasure of people in the process that has reviews: it keeps records, and runs no models."""

from __future__ import annotations

import random

from vidence_server.erasure import app
from vidence_server.erasure.ports import Holder, Reviews
from vidence_server.runtime.erasure_client import ErasureClient
from vidence_server.suite.process import Process


async def open_service(process: Process, reviews: Reviews) -> None:
    """Purges, over all services of the suite."""
    settings = process.settings.erasure
    # Sessions and batches put documents into libraries: these come last.
    addresses = {
        "capture": settings.capture_address,
        "batch": settings.batch_address,
        "library": settings.library_address,
    }
    holders: dict[str, Holder] = {}
    for name, address in addresses.items():
        if name in process.holders:  # opened before this: it is the last of the table
            holders[name] = process.holders[name]
        elif address:
            client = ErasureClient(name, address, process.own_calls)
            holders[name] = await process.stack.enter_async_context(client)
    opened = await process.stack.enter_async_context(
        app.open_service(
            settings,
            process.settings.storage.location,
            await process.bus_for_others(),
            holders,
            reviews,
            clock=process.clock,
            ids=process.ids,
            random=random.Random().random,
        )
    )
    app.export(process.metrics, opened)
    process.light_services.append(app.register(process.server, opened.service))
