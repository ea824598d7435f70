"""A file that others replace while the process runs: keys, certificates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from vidence_server.core.errors import DomainError

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, read again when it has changed.

    A file that cannot be understood any more changes nothing: the last good one stays, and the log tells.
    """

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        """Reads the file; raises what `read` raises."""
        self._path = path
        self._read = read
        self._state = _state(path)
        self._told: object = None
        self._value = read(path)
        self._log = structlog.get_logger(__name__)

    @property
    def value(self) -> T:
        """What it says."""
        return self._value

    def look(self) -> bool:
        """Reads it again where it has changed; whether it says something new."""
        state = _state(self._path)
        if state in (self._state, self._told):
            return False
        try:
            self._value = self._read(self._path)
        except DomainError as error:
            self._told = state
            self._log.error("file not taken", path=str(self._path), reason=error.reason)
            return False
        self._state = state
        self._log.info("file taken", path=str(self._path))
        return True


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
