"""The library service: its parts, put together by `app` and asked by the servicer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vidence_server.core.ids import IdFactory
from vidence_server.library.committer import Committer, CommitterStatistics
from vidence_server.library.document_records import DocumentRecords
from vidence_server.library.domain.libraries import Library
from vidence_server.library.erasing import SubjectErasing
from vidence_server.library.exporting import Exporting
from vidence_server.library.face_records import FaceRecords
from vidence_server.library.indexes import IndexesStatistics, VectorIndexes
from vidence_server.library.journal import Journal
from vidence_server.library.keeping import Keeper
from vidence_server.library.live import LiveQueries
from vidence_server.library.ports import TextEmbedder
from vidence_server.library.records import LibraryRecords
from vidence_server.library.reembedding import Reembedding
from vidence_server.library.searching import Searching
from vidence_server.runtime.service_logs import ServiceLogs, ServiceLogsStatistics


@dataclass(frozen=True, slots=True)
class LibraryStatistics:
    """The service in numbers. Plain numbers; safe to read from any thread."""

    commits: CommitterStatistics
    indexes: IndexesStatistics
    logs: ServiceLogsStatistics
    searches: int
    live_queries: int


@dataclass(frozen=True, slots=True)
class LibraryService:
    """The parts of the service. Each is for any number of callers at once."""

    libraries: LibraryRecords
    documents: DocumentRecords
    keeper: Keeper
    committer: Committer
    searching: Searching
    exporting: Exporting
    live: LiveQueries
    faces: FaceRecords
    erasing: SubjectErasing
    reembedding: Reembedding
    journal: Journal
    logs: ServiceLogs
    indexes: VectorIndexes
    embedders: Mapping[str, TextEmbedder]
    ids: IdFactory

    def serves(self, library: Library) -> bool:
        """Whether the server has the model of a library's vectors."""
        return library.model_id in self.embedders

    async def progress(self, library: Library) -> tuple[int, int] | None:
        """How far the change to another model is: done, total; None where there is none."""
        return await self.reembedding.progress(library) if library.next_model_id else None

    def statistics(self) -> LibraryStatistics:
        """The numbers as they are now."""
        return LibraryStatistics(
            commits=self.committer.statistics(),
            indexes=self.indexes.statistics(),
            logs=self.logs.statistics(),
            searches=self.searching.searches.total(),
            live_queries=len(self.live),
        )
