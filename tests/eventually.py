"""Waiting in tests for what must happen, where nothing tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE_S = 60.0
"""How long a test waits for what must happen before it calls it missing."""


async def eventually(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Lets all others run until the condition holds; `TimeoutError` where it does not."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # what changes in a thread or a process sets no event here
            await asyncio.sleep(0.002)
