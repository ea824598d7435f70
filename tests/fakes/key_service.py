"""Keys for tests: files of them, and a key management service as a program (`key_program`).

Keys of the service lie in a folder, a file of 32 bytes each; `current` names the one that wraps. A file
`fault` says what is wrong: `silent` (no answer), `silent after N` (calls), `exit`, `garbage`, `unwrapped`
(gives the key back as it came), `away`.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from vidence_server.core.clock import SystemClock
from vidence_server.encryption.data_keys import DataKeys
from vidence_server.encryption.key_file import FileKey, KeyFile, new_file_key, write_ring
from vidence_server.encryption.sealing import Sealing

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def key_file(path: Path, *keys: FileKey) -> Path:
    """A file with these keys, or a new one; the last wraps."""
    wanted = keys or (random_key(),)
    write_ring(path, wanted, wanted[-1].key_id)
    return path


def random_key() -> FileKey:
    return new_file_key(os.urandom(32), NOW)


def sealing_with(path: Path, *, accept_plain: bool = True) -> Sealing:
    """Encryption with a file of keys."""
    return Sealing(DataKeys(KeyFile(path), clock=SystemClock(), random=os.urandom), accept_plain=accept_plain)


def key_service(folder: Path, current: str = "first") -> list[str]:
    """The command of a service with one key."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / current).write_bytes(os.urandom(32))
    (folder / "current").write_text(current)
    return [sys.executable, str(Path(__file__).with_name("key_program.py")), str(folder)]
