"""One replica of a service on PostgreSQL, until it is killed; run as a module, its plan as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from fakes.storage import EXTRACTION_MIGRATIONS, event
from vidence_server.core.clock import SystemClock
from vidence_server.storage.database import Database
from vidence_server.storage.outbox import Outbox, OutboxEvent
from vidence_server.storage.relay import Relay, RelaySettings

NEXT = text("UPDATE numbers SET last = last + 1 RETURNING last")


class FileBus:
    """Keeps what is published as lines of a file that several processes append to."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def publish(self, events: Sequence[OutboxEvent]) -> None:
        os.write(self._file, "".join(f"{event.event_id}\n" for event in events).encode())  # one write: whole


async def work(url: str, schema: str, bus: Path, count: int, scoped: bool) -> None:
    """Adds events, numbered by a row that all replicas count up, and relays where it has the lease."""
    settings = RelaySettings(batch_limit=7, first_delay_s=0.01, max_delay_s=0.05)
    async with Database(url, migrations=EXTRACTION_MIGRATIONS, schema=schema) as database:
        outbox = Outbox(database)
        async with Relay(
            outbox, FileBus(bus), clock=SystemClock(), random=random.random, settings=settings
        ) as relay:
            tell(ready=True)
            for number in range(count):
                async with database.transaction(f"scope-{os.getpid()}" if scoped else None) as transaction:
                    last = (await transaction.execute(NEXT)).scalar_one()
                    await outbox.add(transaction, event(last))
                if number % 10 == 0:
                    tell(leading=relay.statistics().leading, added=number)
            tell(done=True)
            await asyncio.Event().wait()


def tell(**what: Any) -> None:
    """One line to the parent, at once."""
    os.write(1, (json.dumps(what) + "\n").encode())


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    plan["bus"] = Path(plan["bus"])
    asyncio.run(work(**plan))
