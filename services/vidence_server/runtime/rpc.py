"""The call in flight: what it is and how it is named, known to everything that runs on its behalf."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from vidence_server.access.principal import DEFAULT_TENANT, Principal


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC of one service."""

    service: str
    """Full name, e.g. `vidence.extraction.v1.ExtractionService`."""
    name: str
    request_streaming: bool
    response_streaming: bool

    @classmethod
    def of_path(cls, path: str, *, request_streaming: bool, response_streaming: bool) -> Method:
        """The method of an HTTP/2 path such as `/vidence.extraction.v1.ExtractionService/ReadDocument`."""
        service, _, name = path.lstrip("/").rpartition("/")
        return cls(service, name, request_streaming, response_streaming)

    @property
    def streaming(self) -> bool:
        """Whether either side streams."""
        return self.request_streaming or self.response_streaming


@dataclass(slots=True)
class Rpc:
    """One call; interceptors share what they learn about it here."""

    method: Method
    request_id: str
    reason: str = ""
    """Reason of the failure (`vidence.error.v1.Reason`); empty while there is none."""
    principal: Principal | None = None
    """Who calls; None where nobody checks credentials."""
    tenant: str = DEFAULT_TENANT
    """Whose data the call means; empty where it means no single tenant's."""
    session_only: bool = False
    """The caller has no credential; the session token of the request opens its session, whoever owns it."""
    end_stream: Callable[[], None] | None = None
    """Ends the stream of the call because its credential does; None: it has no way to end by itself."""


_CURRENT: ContextVar[Rpc | None] = ContextVar("vidence_rpc", default=None)


def current_rpc() -> Rpc | None:
    """The call on whose behalf this code runs; None outside of calls."""
    return _CURRENT.get()


def enter_rpc(rpc: Rpc) -> None:
    """Makes `rpc` the current call of this task; gRPC gives each call a context of its own."""
    _CURRENT.set(rpc)


def current_tenant() -> str:
    """Whose data the call in flight means; the default tenant outside of calls."""
    rpc = _CURRENT.get()
    return rpc.tenant if rpc is not None else DEFAULT_TENANT


def tenant_of(context: object) -> str:  # noqa: ARG001 - servicers name the call; each has a task of its own
    """The tenant of a call, asked for within it."""
    return current_tenant()
