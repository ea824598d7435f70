"""Images and other bytes that live for a while: put by one part of a service, read by another.

Another store (S3) fits behind the same port.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
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
from vidence_server.storage.blob_format import BlobFormat, BlobLabel, PlainFormat

_ID = re.compile(r"blb_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
UNFINISHED = ".part"
"""Ends the names of files that nobody reads; swept an hour later."""
_UNFINISHED_AGE_S = 3600.0
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

    async def put(self, data: bytes, *, tenant: str, expire_time: datetime) -> BlobRef:
        """Keeps bytes of a tenant; they survive kill -9 when this returns.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; KEY_UNAVAILABLE where they are to be encrypted.
        """
        ...

    async def get(self, blob_id: str, *, tenant: str) -> bytes:
        """All of the bytes.

        Raises:
            DomainError: BLOB_NOT_FOUND: unknown, expired or deleted; STORAGE_FAILED; CIPHERTEXT_INVALID,
                KEY_UNKNOWN, KEY_UNAVAILABLE where they are encrypted.
        """
        ...

    def chunks(self, blob_id: str, *, tenant: str) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most 256 KiB; raises as `get`, maybe after some of them."""
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

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        ids: IdFactory,
        sweep_period_s: float = 60.0,
        form: BlobFormat | None = None,
    ) -> None:
        """A folder, not looked at yet.

        Args:
            folder: Of the files; its name is the kind in their labels.
            clock: Tells what has expired.
            ids: Names blobs.
            sweep_period_s: How often what has expired is removed, s.
            form: How bytes stand in the files; None: as they are.
        """
        self._folder = folder
        self._form = form or PlainFormat()
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
        await in_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._sweeper = asyncio.create_task(self._sweep_again(), name="sweeper of blobs")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the sweeping; the blobs stay."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})

    async def put(self, data: bytes, *, tenant: str, expire_time: datetime) -> BlobRef:
        """Keeps bytes; see `BlobStore.put`."""
        label = self._label(tenant, self._ids.new("blb"))
        path = self._folder / label.id
        digest = await in_thread(_write, path, data, expire_time.timestamp(), self._form, label)
        return BlobRef(label.id, digest, len(data))

    async def get(self, blob_id: str, *, tenant: str) -> bytes:
        """All of the bytes; see `BlobStore.get`."""
        with await self._open(blob_id) as file:
            return await in_thread(b"".join, self._form.pieces(file, self._label(tenant, blob_id)))

    async def chunks(self, blob_id: str, *, tenant: str) -> AsyncIterator[bytes]:
        """The bytes in pieces; see `BlobStore.chunks`."""
        with await self._open(blob_id) as file:
            pieces = self._form.pieces(file, self._label(tenant, blob_id))
            while piece := await in_thread(next, pieces, b""):
                yield piece

    async def delete(self, blob_id: str) -> None:
        """Forgets the bytes; see `BlobStore.delete`."""
        if _ID.fullmatch(blob_id):
            await in_thread(_remove, self._folder, blob_id)

    async def sweep(self) -> int:
        """Removes what has expired; gives how many.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        return await in_thread(_remove_expired, self._folder, self._now_s())

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
            file = await in_thread(_open_unexpired, self._folder / blob_id, self._now_s())
            if file is not None:
                return file
        raise DomainError(Reason.BLOB_NOT_FOUND, "These bytes are not kept, or no longer.")

    def _label(self, tenant: str, blob_id: str) -> BlobLabel:
        return BlobLabel(tenant, self._folder.name, blob_id)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def is_blob_id(name: str) -> bool:
    """Whether a name is that of a blob."""
    return _ID.fullmatch(name) is not None


@contextmanager
def locked_folder(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Waits until no other process removes files of a folder, or replaces them (`alone`); for moments.

    Whoever replaced a file that another has just removed would bring it back.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes, expire_s: float, form: BlobFormat, label: BlobLabel) -> str:
    """Under another name first, so that a crash leaves no half of a file under this one."""
    unfinished = path.with_suffix(UNFINISHED)
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            form.write(file, data, label)
        # A file's time of modification is when it expires: it needs no index.
        os.utime(unfinished, (expire_s, expire_s))
        unfinished.rename(path)
    except (OSError, DomainError):
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


def _remove(folder: Path, blob_id: str) -> None:
    with suppress(FileNotFoundError), locked_folder(folder):
        (folder / blob_id).unlink()


def _remove_expired(folder: Path, now_s: float) -> int:
    # In the order of their names: `blb_…` goes before the `sub_…` of `BlobSubjects` that leads to it.
    return sum(_remove_if_expired(folder, path, now_s) for path in sorted(folder.iterdir()))


def _remove_if_expired(folder: Path, path: Path, now_s: float) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    # What a crash left unfinished has no expiry yet.
    unfinished = path.suffix == UNFINISHED
    expired = (status.st_ctime + _UNFINISHED_AGE_S if unfinished else status.st_mtime) <= now_s
    if expired:
        _remove(folder, path.name)
    return expired


async def in_thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What a call gives that touches the disk; raises `DomainError`, STORAGE_FULL, STORAGE_FAILED."""
    try:
        return await asyncio.to_thread(partial(call, *args, **kwargs))
    except OSError as error:
        full = error.errno in {ENOSPC, EDQUOT}
        raise DomainError(
            Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED,
            "The disk has no room." if full else "The folder of images does not answer.",
            retry_after_s=_RETRY_AFTER_S,
        ) from error
