"""Turns what a call raises into its status: the domain's errors with details, defects without."""

from __future__ import annotations

from typing import Any

import grpc
import structlog

from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.spent_errors import release
from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.rpc import Method, current_rpc
from vidence_server.runtime.status import (
    defect,
    domain_error_of,
    status_code,
    to_status,
    trailing_metadata,
)


class ErrorInterceptor:
    """Also for streams that have begun: what their iterator raises in the middle becomes the status."""

    def __init__(self) -> None:
        self._log = structlog.get_logger(__name__)

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Ends the call with a status where it would have ended with an exception."""

        async def translated(request: Any, context: Context) -> Any:
            try:
                return await behaviour(request, context)
            except grpc.aio.BaseError:
                raise  # a servicer's own abort, or a write to a client that is gone: gRPC knows what to do
            except Exception as error:  # noqa: BLE001  # the last place where a defect can get its request id
                known = self._told(method, error)
                release(error)
            # Not above: gRPC keeps what ends the call, and with it what was being handled.
            return await abort(known, context)

        return translated

    def _told(self, method: Method, error: Exception) -> DomainError:
        known = domain_error_of(error)
        if known is None:
            self._log.error("defect", service=method.service, method=method.name, exc_info=error)
            known = defect()
        return known


async def abort(error: DomainError, context: Context) -> None:
    """Ends the call with the error's status.

    Raises:
        grpc.aio.AbortError: Always; that is how gRPC ends a call.
    """
    rpc = current_rpc()
    request_id = rpc.request_id if rpc is not None else ""
    if rpc is not None:
        rpc.reason = Reason(error.reason)
    status = to_status(error, request_id)
    await context.abort(status_code(error), status.message, trailing_metadata(status, request_id))
