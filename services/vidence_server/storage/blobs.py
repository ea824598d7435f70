"""Images and other bytes that live for a while: put by one part of a service, read by another.

Another store (S3) fits behind the same port.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from errno import EDQUOT, ENOSPC
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ParamSpec, Protocol, Self, TypeVar

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory

_ID = re.compile(r"blb_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UNFINISHED = ".part"
_UNFINISHED_AGE_S = 3600.0
_CHUNK_BYTES = 256 * 1024
_RETRY_AFTER_S = 1.0
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where bytes are kept."""

    id: str
    """`blb_` and a UUIDv7."""
    sha256: str
    """Of the bytes, 64 hex digits."""
    size: int
    """Bytes."""


class BlobStore(Protocol):
    """Keeps bytes until they expire."""

    async def put(self, data: bytes, *, expire_time: datetime) -> BlobRef:
        """Keeps bytes; they survive kill -9 when this returns.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        ...

    async def get(self, blob_id: str) -> bytes:
        """All of the bytes.

        Raises:
            DomainError: BLOB_NOT_FOUND: unknown, expired or deleted; STORAGE_FAILED.
        """
        ...

    def chunks(self, blob_id: str) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most 256 KiB; raises as `get`."""
        ...

    async def delete(self, blob_id: str) -> None:
        """Forgets the bytes; nothing happens where they are gone already.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        ...


class FolderBlobs:
    """A `BlobStore` in a folder of the data: one file each, named by its id, never by content.

    Within its context a task removes what has expired, once a minute; what has expired is not given out
    meanwhile. Files are readable by their owner only.
    """

    def __init__(self, folder: Path, *, clock: Clock, ids: IdFactory, sweep_period_s: float = 60.0) -> None:
        self._folder = folder
        self._clock = clock
        self._ids = ids
        self._sweep_period_s = sweep_period_s
        self._log = structlog.get_logger(__name__)
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Makes the folder and begins to sweep.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        await _in_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._sweeper = asyncio.create_task(self._sweep_again(), name="sweeper of blobs")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the sweeping; the blobs stay."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})

    async def put(self, data: bytes, *, expire_time: datetime) -> BlobRef:
        """Keeps bytes; see `BlobStore.put`."""
        blob_id = self._ids.new("blb")
        digest = await _in_thread(_write, self._folder / blob_id, data, expire_time.timestamp())
        return BlobRef(blob_id, digest, len(data))

    async def get(self, blob_id: str) -> bytes:
        """All of the bytes; see `BlobStore.get`."""
        with await self._open(blob_id) as file:
            return await _in_thread(file.read)

    async def chunks(self, blob_id: str) -> AsyncIterator[bytes]:
        """The bytes in pieces; see `BlobStore.chunks`."""
        with await self._open(blob_id) as file:
            while piece := await _in_thread(file.read, _CHUNK_BYTES):
                yield piece

    async def delete(self, blob_id: str) -> None:
        """Forgets the bytes; see `BlobStore.delete`."""
        if _ID.fullmatch(blob_id):
            await _in_thread((self._folder / blob_id).unlink, missing_ok=True)

    async def sweep(self) -> int:
        """Removes what has expired; gives how many.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        return await _in_thread(_remove_expired, self._folder, self._now_s())

    async def _sweep_again(self) -> None:
        while True:
            try:
                await self.sweep()
            except DomainError as error:
                self._log.warning("expired blobs stay", reason=error.reason)
            await asyncio.sleep(self._sweep_period_s)

    async def _open(self, blob_id: str) -> BinaryIO:
        # The id becomes the name of a file: nothing but an id may pass.
        if _ID.fullmatch(blob_id):
            file = await _in_thread(_open_unexpired, self._folder / blob_id, self._now_s())
            if file is not None:
                return file
        raise DomainError(Reason.BLOB_NOT_FOUND, "These bytes are not kept, or no longer.")

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _write(path: Path, data: bytes, expire_s: float) -> str:
    """Under another name first, so that a crash leaves no half of a file under this one."""
    unfinished = path.with_suffix(_UNFINISHED)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        # A file's time of modification is when it expires: it needs no index.
        os.utime(unfinished, (expire_s, expire_s))
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return hashlib.sha256(data).hexdigest()


def _open_unexpired(path: Path, now_s: float) -> BinaryIO | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    if os.fstat(file.fileno()).st_mtime > now_s:
        return file
    file.close()
    return None


def _remove_expired(folder: Path, now_s: float) -> int:
    count = 0
    for path in folder.iterdir():
        status = path.stat()
        # What a crash left unfinished has no expiry yet.
        unfinished = path.suffix == _UNFINISHED
        if (status.st_ctime + _UNFINISHED_AGE_S if unfinished else status.st_mtime) <= now_s:
            path.unlink(missing_ok=True)
            count += 1
    return count


async def _in_thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    try:
        return await asyncio.to_thread(partial(call, *args, **kwargs))
    except OSError as error:
        full = error.errno in {ENOSPC, EDQUOT}
        raise DomainError(
            Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED,
            "The disk has no room." if full else "The folder of images does not answer.",
            retry_after_s=_RETRY_AFTER_S,
        ) from error
