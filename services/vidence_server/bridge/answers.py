"""Streams as ASGI answers: as fast as the peer reads, and over as soon as it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from vidence_server.bridge.framing import Framing
from vidence_server.bridge.peer import Peer
from vidence_server.bridge.statistics import BridgeStatistics

STALLED_S = 60.0
"""A peer that takes nothing for so long, heartbeats neither, is cut; it comes back with its cursor."""
_LAST_WORDS_S = 2.0
"""What a peer has to take the last words of a bridge that stops."""
_HEADERS = ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))


class CutShort(Exception):  # noqa: N818 - a way to end, not an error of the bridge
    """There is no more, and what was written is not whole: only a broken connection can say so."""


class StreamAnswer:
    """Writes pieces as they come; the memory of a slow peer is what its socket holds.

    Args:
        pieces: What is written; closed at the end, however that comes. Raises `CutShort` where it is half.
        peer: Who reads it.
        framing: How it is written.
        draining: Set when it has to end, because the bridge stops.
        statistics: Counted in.
        media_type: Of raw pieces.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        peer: Peer,
        framing: Framing,
        *,
        draining: asyncio.Event,
        statistics: BridgeStatistics,
        media_type: str = "",
    ) -> None:
        self._pieces = pieces
        self._peer = peer
        self._framing = framing
        self._media_type = (media_type or framing.media_type).encode()
        self._draining = draining
        self._statistics = statistics
        self._turn = asyncio.Lock()
        self._over = False

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Writes until one of the three ends: the stream, the peer, the bridge."""
        self._statistics.streams += 1
        self._statistics.open_streams += 1
        try:
            with suppress(CutShort):
                await first_of(self._write(send), self._peer.gone(), self._drained(send))
        finally:
            self._statistics.open_streams -= 1

    async def _write(self, send: Send) -> None:
        headers = [(b"content-type", self._media_type), *_HEADERS]
        async with aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for piece in pieces:
                try:
                    async with asyncio.timeout(STALLED_S):
                        await self._say(send, piece)
                except TimeoutError:
                    # Nothing can be said to somebody who does not listen; the connection closes.
                    self._statistics.stalled += 1
                    return
                self._statistics.sent += 1
        await self._say(send, b"", last=True)

    async def _drained(self, send: Send) -> None:
        await self._draining.wait()
        if self._framing.is_raw:
            # An end without an error would say that the bytes are whole: the connection breaks instead.
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                # After the piece that is being written: the cursor of the last words covers it, and no more.
                async with self._turn:
                    await self._say_now(send, self._framing.stop(), last=True)

    async def _say(self, send: Send, piece: bytes, *, last: bool = False) -> None:
        async with self._turn:
            if not self._over:
                await self._say_now(send, piece, last=last)

    async def _say_now(self, send: Send, piece: bytes, *, last: bool) -> None:
        self._over = last
        await send({"type": "http.response.body", "body": piece, "more_body": not last})


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Runs all until one of them ends, cancels the others, and raises what the one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()
