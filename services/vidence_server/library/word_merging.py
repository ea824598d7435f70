"""Leaves no word of documents that are gone in the word indexes, whatever happened to the process before."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from vidence_server.library.search.lexical import LexicalIndex
from vidence_server.runtime.rounds import Round, Rounds
from vidence_server.storage.database import Database
from vidence_server.storage.erasure import empty_log

_FIRST_PAGES = 2000
"""Of 4 KB, which takes some tenths of a second."""
_RETRY_S = 60.0


class WordMerging:
    """Merges word indexes: when it is asked to, and once those that a process before left unmerged."""

    def __init__(self, database: Database, lexical: LexicalIndex) -> None:
        """A merging at rest.

        Args:
            database: Of the service.
            lexical: Of the words.
        """
        self._database = database
        self._lexical = lexical
        self._caught_up = False

    def rounds(self) -> Rounds:
        """Merges what a process before left, at once, and again where the database did not let it."""
        name = "merging of word indexes"
        return Rounds(Round(self.catch_up, _RETRY_S, name, "word indexes wait to be merged", at_once=True))

    async def catch_up(self) -> None:
        """Merges what a process before left; does nothing once that is done.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        if self._caught_up:
            return
        await self.merge()
        # Also where nothing was left to merge: a process may have died between the two.
        await empty_log(self._database)
        self._caught_up = True

    async def merge(self, library_nos: Collection[int] | None = None) -> None:
        """Merges those of these libraries that need it; None: all. May be broken off and begun again.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        async with self._database.snapshot() as snapshot:
            unmerged = await self._lexical.unmerged(snapshot)
        for library_no in unmerged:
            if library_nos is None or library_no in library_nos:
                await self._merge(library_no)

    async def _merge(self, library_no: int) -> None:
        pages = _FIRST_PAGES
        while not await self._database.run(partial(self._lexical.merge, library_no=library_no, pages=pages)):
            # Where others write more than a step merges, one of the steps is large enough.
            pages *= 2
