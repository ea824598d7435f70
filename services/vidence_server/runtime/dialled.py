"""A channel to another process of the suite, made anew when what it shows or believes was replaced."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from vidence_server.runtime.own_calls import OwnCalls

_RETIRED = 4
"""Channels that were replaced and are kept for the calls on them."""


class Dialled:
    """What is dialled at one address, from the beginning of its context to the end.

    Calls stay on the connection on which they began: a replaced certificate ends none. Bound: `_RETIRED`
    channels that were replaced; overflow: the oldest is closed, and what is left of its calls is cancelled.
    """

    def __init__(self, address: str, own_calls: OwnCalls, options: Sequence[tuple[str, Any]]) -> None:
        """Nothing is dialled yet.

        Args:
            address: What a gRPC client dials: `127.0.0.1:50055`, `unix:/run/vidence.sock`.
            own_calls: With what.
            options: Of each channel.
        """
        self._address = address
        self._own_calls = own_calls
        self._options = options
        self._credentials: grpc.ChannelCredentials | None = None
        self._channel: grpc.aio.Channel | None = None
        self._retired: deque[grpc.aio.Channel] = deque()
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Makes the first channel; does not wait for the service."""
        self._credentials = self._own_calls.credentials(self._address)
        self._channel = self._made()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes all of them."""
        channel, self._channel = self._channel, None
        for one in (*self._retired, *([] if channel is None else [channel])):
            await one.close()
        self._retired.clear()
        await asyncio.gather(*self._closing)

    @property
    def opened(self) -> bool:
        """Whether its context is entered."""
        return self._channel is not None

    def channel(self) -> grpc.aio.Channel:
        """The channel for a new call; inside the context only."""
        if self._channel is None:
            raise RuntimeError(f"{self._address} is reached inside its context only")
        credentials = self._own_calls.credentials(self._address)
        if credentials is not self._credentials:
            self._retire(self._channel)
            self._credentials = credentials
            self._channel = self._made()
        return self._channel

    def _made(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._address, options=self._options)
        return grpc.aio.secure_channel(self._address, self._credentials, options=self._options)

    def _retire(self, channel: grpc.aio.Channel) -> None:
        self._retired.append(channel)
        if len(self._retired) > _RETIRED:
            closing = asyncio.create_task(self._retired.popleft().close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
