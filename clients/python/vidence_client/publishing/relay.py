"""Connections by way of a fresh process, for a process that was forked while gRPC ran.

Such a process cannot use gRPC: its threads are gone and their locks are held for ever. It starts
`relay_process` in a new interpreter and talks with it over a pair of sockets. Frames, both ways: kind
(1 byte), number of the connection and length of the content (4 bytes each, big-endian), content.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from enum import IntEnum

from google.rpc import status_pb2

from vidence_client.errors import ServerUnreachable, VidenceError

_HEAD = struct.Struct(">BII")
_END_S = 5.0


class Kind(IntEnum):
    """What a frame says."""

    OPEN = 0
    """Opens a connection to the address in the content."""
    REQUEST = 1
    FINISH = 2
    CLOSE = 3
    ANSWER = 4
    COMPLETE = 5
    FAILED = 6
    """The connection failed as the `google.rpc.Status` in the content says."""


class Pipe:
    """Frames over a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Pipe:
        """Uses one end of a pair of sockets."""
        return cls(*await asyncio.open_connection(sock=end))

    async def write(self, kind: Kind, number: int, content: bytes = b"") -> None:
        """Writes a frame; where nobody reads any more, nothing happens."""
        if not self._writer.is_closing():
            self._writer.write(_HEAD.pack(kind, number, len(content)) + content)
            with suppress(ConnectionError):
                await self._writer.drain()

    async def read(self) -> tuple[Kind, int, bytes] | None:
        """Reads a frame; None: the other side is gone."""
        try:
            kind, number, length = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            return Kind(kind), number, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        """Closes this end."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class RelayLine:
    """Connections by way of a relay process, which is started when the first one is asked for.

    Args:
        address: `host:port`, or `unix:/path/to/socket`.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._number = 0

    async def connect(self) -> RelayConnection:
        """Opens a connection in the relay process."""
        if self._pipe is None or self._process is None or self._process.poll() is not None:
            await self.close()
            self._process, self._pipe = await _start()
        self._number += 1
        await self._pipe.write(Kind.OPEN, self._number, self._address.encode())
        return RelayConnection(self._pipe, self._number)

    async def close(self) -> None:
        """Ends the relay process."""
        if self._pipe is not None:
            await self._pipe.close()
            self._pipe = None
        if self._process is not None:
            await _ended(self._process)
            self._process = None


class RelayConnection:
    """A connection that a relay process has."""

    def __init__(self, pipe: Pipe, number: int) -> None:
        self._pipe = pipe
        self._number = number

    async def send(self, request: bytes) -> None:
        """Writes a request."""
        await self._pipe.write(Kind.REQUEST, self._number, request)

    async def finish(self) -> None:
        """Says that nothing more will be sent."""
        await self._pipe.write(Kind.FINISH, self._number)

    async def receive(self) -> bytes | None:
        """Returns the next answer; None: the stream is complete."""
        while (frame := await self._pipe.read()) is not None:
            kind, number, content = frame
            if number != self._number:
                continue  # a connection before this one
            if kind is Kind.ANSWER:
                return content
            if kind is Kind.COMPLETE:
                return None
            raise VidenceError.from_status(status_pb2.Status.FromString(content))
        raise ServerUnreachable("the relay process has ended")

    async def close(self) -> None:
        """Ends the connection; the relay process stays for the next one."""
        await self._pipe.write(Kind.CLOSE, self._number)


async def _start() -> tuple[subprocess.Popen[bytes], Pipe]:
    if not sys.executable:
        raise ServerUnreachable("this process was forked, and knows no interpreter that it could start")
    mine, other = socket.socketpair()
    with other:
        # -P: a file in the working directory must not stand in for a module
        process = subprocess.Popen(  # noqa: S603, ASYNC220 - this interpreter, started once
            [sys.executable, "-P", "-m", "vidence_client.publishing.relay_process", str(other.fileno())],
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the terminal must not overtake what waits to be sent
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
    return process, await Pipe.over(mine)


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Waits for a relay that was left to itself, and kills it where it does not end."""
    try:
        async with asyncio.timeout(_END_S):
            while process.poll() is None:  # noqa: ASYNC110 - no thread may be started where the program ends
                await asyncio.sleep(0.005)
    except TimeoutError:
        process.kill()
        process.wait()
