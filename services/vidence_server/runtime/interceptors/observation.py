"""Counts each call and writes one line about it to the log, without anything of its contents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import structlog

from vidence_server.core.clock import Clock
from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.metrics import RpcMetrics
from vidence_server.runtime.rpc import Method, current_rpc


class ObservationInterceptor:
    """Metrics and a log line per call. Calls of `quiet` services (health, reflection) are logged as debug."""

    def __init__(self, metrics: RpcMetrics, clock: Clock, quiet: Callable[[str], bool]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._quiet = quiet
        self._log = structlog.get_logger(__name__)

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Measures from here to the status."""
        labels = (method.service, method.name)
        named = {"service": method.service, "method": method.name}
        in_flight = self._metrics.in_flight.labels(*labels)
        duration = self._metrics.duration.labels(*labels)
        line = self._log.debug if self._quiet(method.service) else self._log.info

        async def observed(request: Any, context: Context) -> Any:
            started_s = self._clock.monotonic()
            in_flight.inc()
            code = "OK"
            try:
                return await behaviour(request, context)
            except BaseException as error:
                code = code_of(error, context)
                raise
            finally:
                took_s = self._clock.monotonic() - started_s
                in_flight.dec()
                duration.observe(took_s)
                self._metrics.finished.labels(*labels, code).inc()
                line("rpc", code=code, reason=_reason(), duration_s=round(took_s, 6), **named)

        return observed


def _reason() -> str:
    rpc = current_rpc()
    return rpc.reason if rpc is not None else ""


def code_of(error: BaseException, context: Context) -> str:
    """The code of a call that ends by `error`, which no inner interceptor turned into anything else."""
    if isinstance(error, asyncio.CancelledError | grpc.aio.InternalError):
        # Core cancels when the client went away and when the deadline passed; a write to a client that was
        # killed fails before that is known.
        left_s: float | None = context.time_remaining()
        return "DEADLINE_EXCEEDED" if left_s is not None and left_s <= 0 else "CANCELLED"
    if isinstance(error, grpc.aio.AbortError):
        code: Any = context.code()
        return code.name if isinstance(code, grpc.StatusCode) else _CODE_NAMES.get(code, "UNKNOWN")
    return "UNKNOWN"


_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
