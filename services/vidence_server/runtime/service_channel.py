"""A connection from one service of the suite to another."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import grpc

from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.dialled import Dialled
from vidence_server.runtime.own_calls import OwnCalls

# Whoever calls backs off by itself; the channel's own back-off, of minutes, would come on top of it.
_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


class ServiceChannel:
    """One address, from the beginning of its context to the end.

    A call waits a moment for the connection, then fails: when to try again is for the caller to decide.
    """

    def __init__(
        self, address: str, own_calls: OwnCalls | None, *, called: str, connect_s: float = 1.0
    ) -> None:
        """A channel that is not made yet.

        Args:
            address: What a gRPC client dials: `127.0.0.1:50055`, `unix:/run/vidence.sock`.
            own_calls: What each call carries; None: nothing, in plaintext.
            called: The service, in errors for people: `The bus`.
            connect_s: Longest wait for the connection, s.
        """
        self._own_calls = own_calls or OwnCalls()
        self._called = called
        self._connect_s = connect_s
        self._dialled = Dialled(address, self._own_calls, _OPTIONS)

    async def __aenter__(self) -> Self:
        """Makes the channel; does not wait for the service."""
        await self._dialled.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self._dialled.__aexit__(kind, error, traceback)

    async def ready(self) -> grpc.aio.Channel:
        """The channel, connected.

        Raises:
            DomainError: NOT_READY where the service is away.
        """
        if not self._dialled.opened:
            raise RuntimeError(f"{self._called.lower()} is reached inside the client's context only")
        channel = self._dialled.channel()
        try:
            # A call on a channel that lost its connection fails at once and only begins to connect.
            async with asyncio.timeout(self._connect_s):
                await channel.channel_ready()
        except TimeoutError:
            raise DomainError(Reason.NOT_READY, f"{self._called} cannot be reached.") from None
        return channel

    def metadata(self, tenant: str) -> tuple[tuple[str, str], ...]:
        """What a call for this tenant carries."""
        return self._own_calls.metadata(tenant)
