"""One owner per file: a lock that ends with its process, however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from vidence_server.core.errors import DomainError, Reason


class FileLock:
    """Holds `<path>.lock` from its making until `release`, or the end of its context.

    A file of its own, because SQLite loses its locks on a database when anybody in the process closes it.
    """

    def __init__(self, path: Path) -> None:
        """Takes the lock.

        Raises:
            DomainError: DATABASE_IN_USE, also where this process itself has it.
            OSError: The lock's file cannot be made.
        """
        self._file = os.open(
            path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise DomainError(
                Reason.DATABASE_IN_USE,
                f"Another process owns the database {path}; one file has one owner.",
                metadata={"path": str(path)},
            ) from None

    def release(self) -> None:
        """Gives the lock back; may be called again. The file stays: removing it could leave two owners."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
