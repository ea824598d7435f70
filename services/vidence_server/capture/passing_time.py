"""What time does to sessions: it moves those that are open, and takes away those that ended long ago."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NoReturn

import structlog

from vidence_server.capture.book import SessionBook
from vidence_server.capture.store import SessionStore
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError

_TICK_S = 0.2
_PURGE_S = 600.0
_logger = structlog.get_logger(__name__)


async def let_time_pass(book: SessionBook) -> NoReturn:
    """Tells sessions again and again that time passes, until it is cancelled."""
    while True:
        await asyncio.sleep(_TICK_S)
        try:
            book.tick()
            await book.sweep()
        except Exception as error:  # one session's defect must not stop the time of all
            _logger.error("a tick failed", exc_info=error)


async def purge(store: SessionStore, clock: Clock, retention_s: float) -> NoReturn:
    """Deletes sessions that ended more than `retention_s` seconds ago, again and again until cancelled."""
    while True:
        now = clock.now()
        try:
            await store.purge(ended_before=now - timedelta(seconds=retention_s), now=now)
        except DomainError as error:
            _logger.warning("old sessions stay", reason=error.reason)
        await asyncio.sleep(_PURGE_S)
