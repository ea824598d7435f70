"""Files that go into requests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from vidence_client.channel import MESSAGE_LIMIT_BYTES
from vidence_client.errors import ClientReason, VidenceError

_OVERHEAD_BYTES = 1024  # what a request holds beside its contents is far smaller


async def bytes_of(*contents: bytes | Path) -> list[bytes]:
    """Loads the contents of one request, unless they are together larger than any message may be.

    Raises:
        VidenceError: INVALID_ARGUMENT, MESSAGE_TOO_LARGE; nothing was read.
        OSError: A file cannot be read.
    """
    size = sum([await _size_of(content) for content in contents])
    if size > MESSAGE_LIMIT_BYTES - _OVERHEAD_BYTES:
        raise VidenceError(
            grpc.StatusCode.INVALID_ARGUMENT,
            ClientReason.MESSAGE_TOO_LARGE,
            "the content is larger than a message may be",
            metadata={"limit_bytes": str(MESSAGE_LIMIT_BYTES), "actual_bytes": str(size)},
        )
    return [await _loaded(content) for content in contents]


async def _size_of(content: bytes | Path) -> int:
    if isinstance(content, bytes):
        return len(content)
    return (await asyncio.to_thread(content.stat)).st_size


async def _loaded(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
