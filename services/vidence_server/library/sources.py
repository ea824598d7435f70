"""What the streams of the library service tell, from the first message of the client to the terminal one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from vidence.library.v1 import library_service_pb2 as pb
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Priority
from vidence_server.library import bodies, convert
from vidence_server.library.convert_search import add_hits, of_plan
from vidence_server.library.domain.documents import KeptState
from vidence_server.library.domain.exports import ImportComplete
from vidence_server.library.domain.libraries import Library
from vidence_server.library.domain.lines import LineSplitter, parse_document, parse_object
from vidence_server.library.domain.searches import SearchRequest
from vidence_server.library.importing import Importing
from vidence_server.library.ingest import (
    BackOff,
    IngestNews,
    IngestStream,
    Offer,
    Offered,
    ShuttingDown,
)
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.service import LibraryService
from vidence_server.runtime.status import to_duration

_MAX_BATCH = 1000
_MAX_OFFER_LINES = 250
_NO_OPENING = "the first message is the opening"
M = TypeVar("M", pb.IngestNdjsonRequest, pb.ImportLibraryRequest)


@dataclass(slots=True)
class _Tally:
    """What became of the documents of a stream."""

    states: dict[KeptState, int] = field(default_factory=lambda: dict.fromkeys(KeptState, 0))
    errors: int = 0

    def add(self, news: IngestNews) -> None:
        if isinstance(news, BackOff | ShuttingDown):
            return
        for result in news:
            if isinstance(result.outcome, DomainError):
                self.errors += 1
            else:
                self.states[result.outcome.state] += 1

    def complete(self) -> pb.IngestComplete:
        return pb.IngestComplete(
            created_count=self.states[KeptState.CREATED],
            updated_count=self.states[KeptState.UPDATED],
            duplicate_count=self.states[KeptState.DUPLICATE],
            error_count=self.errors,
        )


class StreamSources:
    """Makes the messages of result streams and bodies."""

    def __init__(self, service: LibraryService, clock: Clock, *, draining: asyncio.Event) -> None:
        """Sources.

        Args:
            service: Does the work.
            clock: For durations.
            draining: Set when the server takes no more requests.
        """
        self._service = service
        self._clock = clock
        self._draining = draining

    async def ingest(
        self, tenant: str, requests: AsyncIterator[pb.IngestDocumentsRequest]
    ) -> AsyncGenerator[pb.IngestDocumentsResponse, None]:
        """`IngestDocuments`."""
        first = await anext(aiter(requests), None)
        if first is None or not first.HasField("opening"):
            raise convert.invalid("message", _NO_OPENING)
        library = await self._service.libraries.get(tenant, first.opening.library_id)
        policy = _policy(first.opening.on_existing)
        tally = _Tally()
        async with self._stream(self._offers(requests), library, policy) as stream:
            while (news := await stream.next()) is not None:
                tally.add(news)
                yield _ingest_response(news)
        self._check_draining()
        yield pb.IngestDocumentsResponse(ingest_complete=tally.complete())

    async def ingest_lines(
        self, tenant: str, requests: AsyncIterator[pb.IngestNdjsonRequest]
    ) -> AsyncGenerator[bytes, None]:
        """`IngestNdjson`."""
        first = await _first(requests)
        library = await self._service.libraries.get(tenant, first.library_id)
        tally = _Tally()
        offers = self._line_offers(bodies.body_of(first, requests))
        async with self._stream(offers, library, _policy(first.on_existing)) as stream:
            while (news := await stream.next()) is not None:
                tally.add(news)
                match news:
                    case BackOff():
                        yield bodies.message_line("ingest_back_off", _back_off(news))
                    case ShuttingDown():
                        yield bodies.message_line("ingest_shutting_down", _shutting_down(news))
                    case _ if news:
                        yield bodies.result_lines(news)
        self._check_draining()
        yield bodies.message_line("ingest_complete", tally.complete())

    async def search(
        self, tenant: str, library_id: str, request: SearchRequest
    ) -> AsyncGenerator[pb.SearchDocumentsResponse, None]:
        """`SearchDocuments`."""
        started_s = self._clock.monotonic()
        found = await self._service.searching.find(tenant, library_id, request)
        yield pb.SearchDocumentsResponse(search_plan=of_plan(found.plan))
        count = 0
        async with aclosing(self._service.searching.pages(found)) as pages:
            async for page in pages:
                count += len(page)
                response = pb.SearchDocumentsResponse()
                add_hits(response.search_hits, page)
                yield response
        complete = pb.SearchComplete(
            hit_count=count,
            search_duration=to_duration(found.search_s),
            total_duration=to_duration(self._clock.monotonic() - started_s),
        )
        yield pb.SearchDocumentsResponse(search_complete=complete)

    async def export(self, tenant: str, request: pb.ExportLibraryRequest) -> AsyncGenerator[bytes, None]:
        """`ExportLibrary`."""
        events = self._service.exporting.export(
            tenant,
            request.library_id,
            resume_token=request.resume_token,
            with_vectors=not request.omit_vectors,
        )
        async with aclosing(events):
            async for event in events:
                yield bodies.export_line(event, self._describe)
                self._check_draining()

    async def take_in(
        self, tenant: str, requests: AsyncIterator[pb.ImportLibraryRequest]
    ) -> AsyncGenerator[pb.ImportLibraryResponse, None]:
        """`ImportLibrary`."""
        first = await _first(requests)
        library = await self._service.libraries.get(tenant, first.library_id)
        importing = Importing(self._service.keeper, self._service.committer, self._clock, stop=self._draining)
        async with aclosing(importing.run(library, bodies.body_of(first, requests))) as steps:
            async for step in steps:
                if isinstance(step, ImportComplete):
                    complete = pb.ImportComplete(
                        document_count=step.document_count,
                        changed_count=step.changed_count,
                        checksum=step.checksum.hex(),
                    )
                    yield pb.ImportLibraryResponse(import_complete=complete)
                else:
                    progress = pb.ImportProgress(
                        document_count=step.document_count, total_count=step.total_count
                    )
                    yield pb.ImportLibraryResponse(import_progress=progress)

    def _describe(self, library: Library) -> object:
        return convert.of_library(library, served=self._service.serves(library))

    def _stream(self, offers: AsyncIterator[Offer], library: Library, policy: KeepPolicy) -> IngestStream:
        return IngestStream(
            offers,
            library,
            policy,
            keeper=self._service.keeper,
            committer=self._service.committer,
            clock=self._clock,
            stop=self._draining,
        )

    async def _offers(self, requests: AsyncIterator[pb.IngestDocumentsRequest]) -> AsyncIterator[Offer]:
        async for request in requests:
            if not request.HasField("documents"):
                raise convert.invalid("message.opening", "a stream is opened once")
            if len(request.documents.documents) > _MAX_BATCH:
                raise convert.invalid("message.documents", f"has at most {_MAX_BATCH} documents")
            yield await asyncio.to_thread(_offer, request, self._new_id)

    async def _line_offers(self, body: AsyncIterator[bytes]) -> AsyncIterator[Offer]:
        splitter = LineSplitter()
        count = 0
        async for data in body:
            lines = splitter.feed(data)
            for start in range(0, len(lines), _MAX_OFFER_LINES):
                some = lines[start : start + _MAX_OFFER_LINES]
                yield await asyncio.to_thread(_offer_of_lines, some, count, self._new_id)
                count += len(some)
        rest = splitter.finish()
        if rest:
            yield _offer_of_lines(rest, count, self._new_id)

    def _new_id(self) -> str:
        return self._service.ids.new("doc")

    def _check_draining(self) -> None:
        if self._draining.is_set():
            raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)


async def _first(requests: AsyncIterator[M]) -> M:
    first = await anext(aiter(requests), None)
    if first is None:  # so an empty body comes over HTTP: without a message that would name the library
        raise convert.invalid("content", "is empty: a body has at least one byte, such as a line feed")
    if not first.library_id:
        raise convert.invalid("library_id", "is needed in the first message")
    return first


def _policy(on_existing: pb.OnExisting.ValueType) -> KeepPolicy:
    return KeepPolicy(convert.to_on_existing(on_existing), priority=Priority.BULK)


def _offer(request: pb.IngestDocumentsRequest, new_id: Callable[[], str]) -> Offer:
    documents: list[Offered] = []
    for document in request.documents.documents:
        document_id = document.document_id or new_id()
        try:
            offered = Offered(document_id, convert.to_draft(document, document_id))
        except DomainError as error:
            offered = Offered(document.document_id, error)
        documents.append(offered)
    return Offer(documents, request.ByteSize())


def _offer_of_lines(lines: Sequence[bytes], before: int, new_id: Callable[[], str]) -> Offer:
    documents: list[Offered] = []
    for number, line in enumerate(lines, before + 1):
        if not line.strip():
            continue
        try:
            draft = parse_document(parse_object(line), new_id=new_id())
            documents.append(Offered(draft.document_id, draft, number))
        except DomainError as error:
            documents.append(Offered("", error, number))
    return Offer(documents, sum(map(len, lines)))


def _ingest_response(news: IngestNews) -> pb.IngestDocumentsResponse:
    match news:
        case BackOff():
            return pb.IngestDocumentsResponse(ingest_back_off=_back_off(news))
        case ShuttingDown():
            return pb.IngestDocumentsResponse(ingest_shutting_down=_shutting_down(news))
        case _:
            name = bodies.request_id()
            results = [convert.of_outcome(each.offered.document_id, each.outcome, name) for each in news]
            return pb.IngestDocumentsResponse(ingest_results=pb.IngestResults(results=results))


def _back_off(news: BackOff) -> pb.IngestBackOff:
    return pb.IngestBackOff(waiting_count=news.waiting, retry_delay=to_duration(news.retry_after_s))


def _shutting_down(news: ShuttingDown) -> pb.IngestShuttingDown:
    return pb.IngestShuttingDown(retry_delay=to_duration(news.retry_after_s))
