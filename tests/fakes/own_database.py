"""A database of one test in the PostgreSQL of all, with the schemas that operators have."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import asyncpg
import pytest

from fakes.postgres import PostgresProcess

_numbers = count(1)
_COLUMNS = """
    SELECT table_schema, table_name, column_name, data_type
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


@dataclass(frozen=True)
class OwnDatabase:
    """An empty database, gone with the test."""

    server: PostgresProcess
    name: str

    @property
    def url(self) -> str:
        """As it stands in the setting `storage.database_url`."""
        return self.server.url(self.name).render_as_string(hide_password=False)

    @property
    def now(self) -> OwnDatabaseNow:
        """The same for tests without an event loop."""
        return OwnDatabaseNow(self)

    async def places_with(self, *marks: bytes) -> Counter[str]:
        """Columns, `schema.table.column`, with how many of their values have one of these bytes."""
        found: Counter[str] = Counter()
        async for place, value in self._values():
            found[place] += any(mark in value for mark in marks)
        return +found

    async def values_with(self, *marks: bytes) -> Counter[tuple[str, bytes]]:
        """The values themselves."""
        found: Counter[tuple[str, bytes]] = Counter()
        async for place, value in self._values():
            found[place, value] += any(mark in value for mark in marks)
        return +found

    async def all_values(self) -> bytes:
        """Everything, to be searched for something."""
        return b"\0".join([value async for _, value in self._values()])

    def tables_on_disk(self) -> bytes:
        """Everything in the files of all tables and their indexes, as it is on the disk. Blocks."""
        self.server.execute("CHECKPOINT", self.name)
        wanted = "SELECT oid FROM pg_database WHERE datname = current_database()"
        ((number,),) = self.server.execute(wanted, self.name)
        folder = self.server.folder / "data" / "base" / str(number)
        return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())

    async def _values(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every value of every column of every table: bytes as they are, the rest as text."""
        async with self._connected() as connection:
            for schema, table, column, kind in await connection.fetch(_COLUMNS):
                wanted = f'"{column}"' if kind == "bytea" else f'"{column}"::text'
                rows = await connection.fetch(f'SELECT {wanted} FROM "{schema}"."{table}"')  # noqa: S608 - names of ours
                for (value,) in rows:
                    if value is not None:
                        yield f"{schema}.{table}.{column}", value if kind == "bytea" else value.encode()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await self.server.connect(self.name)
        try:
            yield connection
        finally:
            await connection.close()


@dataclass(frozen=True)
class OwnDatabaseNow:
    """An `OwnDatabase` whose calls block."""

    own: OwnDatabase

    def values_with(self, *marks: bytes) -> Counter[tuple[str, bytes]]:
        """See `OwnDatabase.values_with`."""
        return asyncio.run(self.own.values_with(*marks))


@pytest.fixture
def own_database(postgres: PostgresProcess) -> Iterator[OwnDatabase]:
    """A database for one test."""
    name = f"own{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield OwnDatabase(postgres, name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
