"""Requests of a worker, repeated for as long as the service is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from vidence_server.batch.domain.failure import BackOff
from vidence_server.core.errors import DomainError, Reason

T = TypeVar("T")

_AWAY = frozenset(
    {
        Reason.NOT_READY,
        Reason.DRAINING,
        Reason.STORAGE_FAILED,
        Reason.STORAGE_FULL,
        Reason.DEADLINE_EXCEEDED,
    }
)
"""Why a request may be repeated: the service is away, or its disk is full for now."""


class Patience:
    """Waits for a service that does not answer, longer each time, with jitter.

    Attributes:
        unreachable: Requests that the service did not answer.
    """

    def __init__(self, back_off: BackOff, random: Callable[[], float]) -> None:
        """Args: `back_off`, how long; `random`, numbers in [0, 1), for jitter."""
        self.unreachable = 0
        self._back_off = back_off
        self._random = random
        self._log = structlog.get_logger(__name__)

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Makes a request until it is answered; raises `DomainError` where that is a refusal."""
        failures = 0
        while True:
            try:
                return await request()
            except DomainError as error:
                if error.reason not in _AWAY:
                    raise
                failures += 1
                await self.pause(failures, error)

    async def pause(self, failures: int, error: DomainError) -> None:
        """Waits before the next request, after so many in a row that failed."""
        self.unreachable += 1
        if failures == 1:
            self._log.warning("the service does not answer", reason=error.reason)
        delay_s = self._back_off.delay_s(failures, self._random())
        await asyncio.sleep(max(delay_s, error.retry_after_s or 0.0))
