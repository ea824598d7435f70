"""A relay between clients and a server whose connections can be cut, as a failing network does it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


class Relay:
    """Carries bytes both ways until `cut`.

    Args:
        host: Where the server is.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.address = ""

    def cut(self) -> None:
        """Resets all connections; new ones are carried again."""
        for writer in self._open:
            # not lingering makes the close a reset; otherwise it would look like an orderly end
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection and carries it in a task that `finish` waits for."""
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def finish(self) -> None:
        """Resets what is carried and waits until all of it is closed."""
        while self._carrying:
            self.cut()
            await asyncio.wait(self._carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection until either side ends it."""
        async with self._closing(writer):
            try:
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            except OSError:
                return
            async with self._closing(far_writer), asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer))
                group.create_task(_pump(far_reader, writer))

    @asynccontextmanager
    async def _closing(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def open_relay(host: str, port: int) -> AsyncIterator[Relay]:
    """Opens a relay on a free port of the loopback; leaving the context cuts what it carries."""
    relay = Relay(host, port)
    async with await asyncio.start_server(relay.accept, "127.0.0.1", 0) as server:
        relay.address = "{}:{}".format(*server.sockets[0].getsockname()[:2])
        try:
            yield relay
        finally:
            await relay.finish()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end or a cut; then the other direction ends, too."""
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()
