"""The other side of an HTTP request: its body, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import Receive

from vidence_server.core.errors import DomainError, Reason


class Peer:
    """Reads a body, then watches for the end of the connection.

    Args:
        receive: Of the request; nobody else may call it.
        max_bytes: Largest body; None: any, for bodies that are passed on as they come.
    """

    def __init__(self, receive: Receive, max_bytes: int | None) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._read = asyncio.Event()
        self._gone = asyncio.Event()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            DomainError: BODY_TOO_LARGE; CANCELLED where the peer went away meanwhile.
        """
        size = 0
        while not self._read.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                self._read.set()
                raise DomainError(Reason.CANCELLED, "The client went away.")
            if not message.get("more_body", False):
                self._read.set()
            chunk = message.get("body", b"")
            size += len(chunk)
            if self._max_bytes is not None and size > self._max_bytes:
                raise DomainError(
                    Reason.BODY_TOO_LARGE,
                    f"The body has more than {self._max_bytes} bytes.",
                    metadata={"limit": str(self._max_bytes)},
                )
            if chunk:
                yield chunk

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            DomainError: As `chunks`.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def gone(self) -> None:
        """Returns when the connection is over; what is left of the body is read by `chunks` first."""
        await self._read.wait()
        while not self._gone.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self._gone.set()
