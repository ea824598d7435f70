"""The call in flight: what it is and how it is named, known to everything that runs on its behalf."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


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


_CURRENT: ContextVar[Rpc | None] = ContextVar("vidence_rpc", default=None)


def current_rpc() -> Rpc | None:
    """The call on whose behalf this code runs; None outside of calls."""
    return _CURRENT.get()


def enter_rpc(rpc: Rpc) -> None:
    """Makes `rpc` the current call of this task; gRPC gives each call a context of its own."""
    _CURRENT.set(rpc)
