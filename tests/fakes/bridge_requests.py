"""Requests to the bridge without a server: what a path means, and a peer that sends a body in pieces."""

from __future__ import annotations

import asyncio

from starlette.types import Message as AsgiMessage

from vidence_server.bridge.contract import Contract, Match, descriptor_bytes
from vidence_server.bridge.peer import Peer

CONTRACT = Contract(descriptor_bytes())
POOL = CONTRACT.pool


def match(verb: str, path: str) -> Match:
    found = CONTRACT.match(verb, path)
    assert found is not None
    return found


def peer(*chunks: bytes, gone: bool = False, limit: int | None = 1000) -> Peer:
    messages: list[AsgiMessage] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    waiting = iter(messages)

    async def receive() -> AsgiMessage:
        message = next(waiting, None)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    return Peer(receive, limit)
