"""One owner per file: a lock that ends with its process, however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from vidence_server.core.errors import DomainError, Reason


class FileLock:
    """Holds `<path>.lock` from the beginning of its context to the end.

    A file of its own, because SQLite loses its locks on a database when anybody in the process closes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Takes the lock, or fails at once.

        Raises:
            DomainError: DATABASE_IN_USE, also where this process itself has it; STORAGE_FAILED where the
                folder cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DomainError(
                Reason.STORAGE_FAILED, f"Cannot write to the folder of {self._path}: {error.strerror}."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise DomainError(
                Reason.DATABASE_IN_USE,
                f"{self._path} belongs to another process; one file has one owner.",
                metadata={"path": str(self._path)},
            ) from error
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Gives the lock back. The lock's file stays: removing it would let two owners in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
