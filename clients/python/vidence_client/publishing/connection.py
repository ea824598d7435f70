"""A connection over which requests go to the server and answers come back, as bytes."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

import grpc

from vidence_client.channel import channel_options
from vidence_client.credentials import Credentials, open_sync_channel
from vidence_client.errors import VidenceError

_METHOD = "/vidence.event.v1.EventService/PublishStream"


class Connection(Protocol):
    """One `PublishStream` call, wherever it runs."""

    async def send(self, request: bytes) -> None:
        """Writes a request; waits while the server takes no more.

        A connection that broke swallows it: `receive` tells.
        """
        ...

    async def finish(self) -> None:
        """Says that nothing more will be sent."""
        ...

    async def receive(self) -> bytes | None:
        """Returns the next answer; None: the stream is complete.

        Raises:
            VidenceError: The connection failed.
        """
        ...

    async def close(self) -> None:
        """Ends the connection."""
        ...


class Line(Protocol):
    """Where connections come from."""

    async def connect(self) -> Connection:
        """Opens a connection; whether it works is told by `receive`."""
        ...

    async def close(self) -> None:
        """Lets go of everything."""
        ...


class GrpcLine:
    """Connections over a channel of their own, with the credentials of the environment.

    Args:
        address: `host:port`, or `unix:/path/to/socket`.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def connect(self) -> GrpcConnection:
        """Opens a channel and a call on it."""
        # a channel per connection: `close` leaves none behind, so that gRPC ends completely before a fork
        options, credentials = channel_options(self._address), Credentials.from_environ(os.environ)
        return GrpcConnection(open_sync_channel(self._address, options, credentials))

    async def close(self) -> None:
        """Has nothing to let go of."""


class GrpcConnection:
    """A call and the channel that carries it.

    It uses gRPC's interface for threads. All event loops of a process share one queue of `grpc.aio`: a loop
    that comes and goes with every fork would disturb those of the program, and be disturbed by them.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        # bounded by the requests that a sender has without an answer; None: nothing more comes
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # bounded likewise, for every answer but heartbeats is that of a request
        self._answers: asyncio.Queue[bytes | VidenceError | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_METHOD)
        self._call = method(iter(self._requests.get, None))
        # a daemon: it waits for a server that may never answer
        threading.Thread(target=self._read, name="vidence-publisher-answers", daemon=True).start()

    async def send(self, request: bytes) -> None:
        """Hands over a request; gRPC takes it when the server does."""
        self._requests.put(request)

    async def finish(self) -> None:
        """Says that nothing more will be sent."""
        self._requests.put(None)

    async def receive(self) -> bytes | None:
        """Returns the next answer; None: the stream is complete."""
        answer = await self._answers.get()
        if isinstance(answer, VidenceError):
            raise answer
        return answer

    async def close(self) -> None:
        """Ends call and channel, and waits until nobody uses them."""
        self._requests.put(None)
        self._call.cancel()
        await self._ended.wait()
        self._channel.close()

    def _read(self) -> None:
        last: VidenceError | None = None
        try:
            for answer in self._call:
                self._tell(self._answers.put_nowait, answer)
        except grpc.RpcError as error:
            last = VidenceError.from_rpc_error(cast(grpc.Call, error))
        self._tell(self._answers.put_nowait, last)
        self._tell(self._ended.set)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody wants to know
            self._loop.call_soon_threadsafe(function, *arguments)
