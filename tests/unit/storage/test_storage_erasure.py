"""What was deleted leaves the log of a SQLite file, also while somebody else brings it to the file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.storage.database import Database, sqlite_url
from vidence_server.storage.erasure import empty_log

_CHECKPOINT_LOCK = 121
"""Byte of the file `-shm` that whoever makes a checkpoint has locked (SQLite, "WAL-mode file format")."""
_HOLDER = f"""
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, {_CHECKPOINT_LOCK})
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.requirement("R-OP5")
async def test_the_checkpoint_of_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    async with Database(sqlite_url(path), migrations=EXTRACTION_MIGRATIONS) as database:
        async with database.transaction() as transaction:
            await transaction.execute(text("CREATE TABLE some (words TEXT)"))
        log = path.with_name("service.db-wal")
        assert log.stat().st_size
        shared = str(path.with_name("service.db-shm"))
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDER, shared], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
            emptying = asyncio.create_task(empty_log(database))
            done, _ = await asyncio.wait({emptying}, timeout=0.5)
            assert not done
            assert log.stat().st_size
            await asyncio.to_thread(holder.communicate)
            await emptying
        assert log.stat().st_size == 0
