"""Libraries as other services see them: of this process, or of another one."""

from __future__ import annotations

from collections.abc import Mapping

from vidence_server.runtime.library_client import LibraryClient
from vidence_server.suite.process import Libraries, Process


class SuiteLibraries:
    """The library service of this process where it has one, else that at the address of the settings.

    Which it is, is known when all services are open: so it is looked up at each call.
    """

    def __init__(self, process: Process, elsewhere: LibraryClient) -> None:
        self._process = process
        self._elsewhere = elsewhere

    async def check(self, tenant: str, library_id: str) -> None:
        """Whether there is such a library; see `LibraryClient.check`."""
        await self._place.check(tenant, library_id)

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        """Makes a result a document of a library; see `LibraryClient.put`."""
        await self._place.put(tenant, library_id, document_id, result, properties)

    @property
    def _place(self) -> Libraries:
        return self._process.libraries or self._elsewhere


async def libraries_of(process: Process) -> SuiteLibraries:
    """What services put their results into; one for each that asks."""
    client = LibraryClient(process.settings.filing.library_address, process.own_calls)
    return SuiteLibraries(process, await process.stack.enter_async_context(client))
