"""Makes connections to PostgreSQL, less and less often while they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import URL

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.failures import DRIVER_ERRORS, sqlstate

_CONNECT_S = 10.0
_COMMAND_S = 120.0
_FIRST_DELAY_S = 0.05
_MAX_DELAY_S = 2.0
_LOCK_MS = 30_000
_CONFIGURATION = ("28", "3D", "42501")  # user or password, database name, privilege


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a database is and who asks. Nothing of the password is shown."""

    url: URL
    """`postgresql+asyncpg://user@host:port/database`; the query may hold what libpq knows: `host` (a folder
    of sockets), `sslmode`, `sslrootcert`, `target_session_attrs`."""
    schema: str
    """PostgreSQL schema of the service, made where it is missing."""
    password_file: Path | None = None
    """Read at every connection, so that a password may change while the service runs."""

    async def connect(self) -> asyncpg.Connection:
        """One connection, its `search_path` the service's schema, then `public` (extensions).

        Raises:
            Exception: One of `DRIVER_ERRORS`, there is none.
            DomainError: CONFIGURATION_INVALID.
        """
        settings: Mapping[str, str] = {
            "search_path": f'"{self.schema}", public',
            "application_name": f"vidence/{self.schema}",
            "lock_timeout": str(_LOCK_MS),
            "jit": "off",
        }
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return await asyncpg.connect(
                dsn,
                password=await self._password(),
                server_settings=dict(settings),
                timeout=_CONNECT_S,
                command_timeout=_COMMAND_S,
            )
        except (ValueError, asyncpg.exceptions.ClientConfigurationError):
            raise DomainError(Reason.CONFIGURATION_INVALID, "The database URL is not valid.") from None

    async def _password(self) -> str:
        if self.password_file is None:
            # Never None: the driver would look for ~/.pgpass, on the event loop.
            return self.url.password or ""
        try:
            text = await asyncio.to_thread(self.password_file.read_text)
        except OSError as error:
            raise DomainError(
                Reason.CONFIGURATION_INVALID,
                f"Cannot read the password file {self.password_file}: {error.strerror}.",
            ) from error
        return text.strip()


class Connector:
    """Connections for a pool and a session.

    After a failed attempt the next ones fail at once for a while: 0.05 s, doubling up to 2 s, with full
    jitter. So a server that starts again is not met by all transactions that waited for it.
    """

    def __init__(self, address: PostgresAddress, *, random: Callable[[], float]) -> None:
        """A connector that has not tried yet; `random` gives numbers in [0, 1)."""
        self._address = address
        self._random = random
        self._failures = 0
        self._closed_until_s = 0.0

    @property
    def wait_s(self) -> float:
        """How long attempts will fail without being made, s."""
        return max(0.0, self._closed_until_s - asyncio.get_running_loop().time())

    async def connect(self) -> asyncpg.Connection:
        """One connection.

        Raises:
            Exception: One of `DRIVER_ERRORS`, there is none.
        """
        if self.wait_s:
            raise ConnectionRefusedError("the database was away a moment ago")
        try:
            connection = await self._address.connect()
        except DRIVER_ERRORS:
            longest_s = min(_FIRST_DELAY_S * 2 ** min(self._failures, 20), _MAX_DELAY_S)
            self._failures += 1
            self._closed_until_s = asyncio.get_running_loop().time() + longest_s * self._random()
            raise
        self._failures, self._closed_until_s = 0, 0.0
        return connection

    async def wait_ready(self, patience_s: float) -> None:
        """Returns when the server takes connections.

        Raises:
            DomainError: CONFIGURATION_INVALID where user, password or database are wrong.
            Exception: One of `DRIVER_ERRORS`, it did not within `patience_s`.
        """
        end_s = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                connection = await self.connect()
            except DRIVER_ERRORS as error:
                code = sqlstate(error)
                if code is not None and code.startswith(_CONFIGURATION):
                    raise DomainError(
                        Reason.CONFIGURATION_INVALID,
                        "The database does not let this user in.",
                        metadata={"sqlstate": code},
                    ) from None
                if asyncio.get_running_loop().time() >= end_s:
                    raise
                await asyncio.sleep(self.wait_s)
            else:
                await connection.close()
                return
