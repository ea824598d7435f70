"""Changes to a database that are all kept or all forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from vidence_server.storage.backend import Backend, to_its_end
from vidence_server.storage.failures import domain_failures


class Transaction:
    """Changes that are all kept or all forgotten.

    A statement that fails makes the whole fail, also where its error is caught: only what was done in a
    `nested` block is taken back alone.
    """

    def __init__(self, connection: AsyncConnection, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend
        self._after_commit: list[Callable[[], None]] = []
        self._topics: dict[str, None] = {}
        self._failed = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`, for statements that are not the same in both."""
        return self._connection.dialect.name

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[*tuple[Any, ...]]:
        """Runs a SQLAlchemy Core statement; with `rows`, a list of mappings, once per row.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
            IntegrityError: A constraint does not allow it.
            RuntimeError: A statement before this one failed.
        """
        self._check()
        try:
            with domain_failures():
                # A statement that is cut short leaves a connection that nobody can close in time, and with it
                # a file that stays locked.
                result: CursorResult[*tuple[Any, ...]] = await to_its_end(
                    self._connection.execute(statement, rows)
                )
                return result
        except BaseException:
            self._failed = True
            raise

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        """A part that may fail alone: what raises inside is taken back, and the transaction goes on."""
        self._check()
        with domain_failures():
            savepoint = await self._connection.begin_nested()
        try:
            yield
        except BaseException:
            with domain_failures():
                await savepoint.rollback()
            self._failed = False
            raise
        self._check()
        with domain_failures():
            await savepoint.commit()

    async def serialise(self, name: str) -> None:
        """Waits until no other transaction that called this with the same name is open, then holds it too.

        For the places where transactions of different scopes meet; as late as possible, to keep others
        waiting for a short time.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        with domain_failures():
            await self._backend.serialise(self._connection, name)

    def announce(self, topic: str) -> None:
        """Tells those who `Database.listen` to the topic in other processes, once the changes are kept.

        This process learns of its own changes by `after_commit`.

        Args:
            topic: At most 1,000 bytes of UTF-8; without personal data. One that is given twice is told once.
        """
        if len(topic.encode()) > 1000:
            raise ValueError("a topic has at most 1,000 bytes")
        self._topics[topic] = None

    def after_commit(self, call: Callable[[], None]) -> None:
        """Calls back on the loop once the changes are kept; not at all where they are not."""
        self._after_commit.append(call)

    async def commit(self) -> None:
        """Keeps the changes; for `Database.transaction`, which is the only one to call it."""
        self._check()  # PostgreSQL would roll back without a word
        topics = tuple(self._topics)
        with domain_failures():
            if topics:
                await self._backend.announce(self._connection, topics)
            await self._connection.commit()
        for call in self._after_commit:
            call()

    def _check(self) -> None:
        if self._failed:
            raise RuntimeError("a statement of this transaction failed; nothing of it can be kept")
