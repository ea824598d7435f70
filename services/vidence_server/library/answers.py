"""The calls of the library service that are answered at once: translates, decides nothing."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from vidence.library.v1 import library_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence.library.v1 import library_service_pb2_grpc as pb_grpc
from vidence_server.library import convert
from vidence_server.library.convert_search import add_hits, of_plan, to_filter, to_search
from vidence_server.library.domain.documents import KeptState, OnExisting
from vidence_server.library.domain.libraries import Library, LibraryChange
from vidence_server.library.domain.searches import Hit
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.live import DEFAULT_IDLE_S
from vidence_server.library.service import LibraryService
from vidence_server.runtime.erasure_client import to_kind_counts
from vidence_server.runtime.rpc import tenant_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_NS = 1e9


class LibraryAnswers(pb_grpc.LibraryServiceServicer):
    """The unary RPCs of `vidence.library.v1.LibraryService`; its proto states what each promises."""

    def __init__(self, service: LibraryService) -> None:
        self._service = service

    async def CreateLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.CreateLibraryRequest, context: Context
    ) -> pb.CreateLibraryResponse:
        """Creates a library."""
        library = await self._service.libraries.create(tenant_of(context), convert.to_wanted(request))
        return pb.CreateLibraryResponse(library=await self._described(library))

    async def GetLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.GetLibraryRequest, context: Context
    ) -> pb.GetLibraryResponse:
        """Gives a library."""
        library = await self._service.libraries.get(tenant_of(context), request.library_id)
        return pb.GetLibraryResponse(library=await self._described(library))

    async def ListLibraries(  # noqa: N802 - the name of the RPC
        self, request: pb.ListLibrariesRequest, context: Context
    ) -> pb.ListLibrariesResponse:
        """Lists a page of libraries."""
        found, token = await self._service.libraries.page(
            tenant_of(context), page_size=request.page_size, page_token=request.page_token
        )
        described = [await self._described(library) for library in found]
        return pb.ListLibrariesResponse(libraries=described, next_page_token=token)

    async def UpdateLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.UpdateLibraryRequest, context: Context
    ) -> pb.UpdateLibraryResponse:
        """Changes a library."""
        change = LibraryChange(
            display_name=request.display_name if request.HasField("display_name") else None,
            labels=dict(request.labels) if request.labels or request.clear_labels else None,
            index_kind=convert.to_kind(request.vector_index),
        )
        library = await self._service.libraries.update(tenant_of(context), request.library_id, change)
        return pb.UpdateLibraryResponse(library=await self._described(library))

    async def DeleteLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteLibraryRequest, context: Context
    ) -> pb.DeleteLibraryResponse:
        """Deletes a library."""
        library = await self._service.libraries.delete(tenant_of(context), request.library_id)
        return pb.DeleteLibraryResponse(document_count=library.document_count, face_count=library.face_count)

    async def ReembedLibrary(  # noqa: N802 - the name of the RPC
        self, request: pb.ReembedLibraryRequest, context: Context
    ) -> pb.ReembedLibraryResponse:
        """Begins to change a library's vectors."""
        library = await self._service.reembedding.start(
            tenant_of(context), request.library_id, request.model_id
        )
        return pb.ReembedLibraryResponse(library=await self._described(library))

    async def CreateDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.CreateDocumentRequest, context: Context
    ) -> pb.CreateDocumentResponse:
        """Keeps a document."""
        draft = convert.to_draft(request.document, self._service.ids.new("doc"))
        kept, document = await self._service.documents.keep(
            tenant_of(context), request.library_id, draft, KeepPolicy(OnExisting.FAIL)
        )
        return pb.CreateDocumentResponse(
            document=convert.of_document(document), repeated=kept.state is KeptState.DUPLICATE
        )

    async def GetDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.GetDocumentRequest, context: Context
    ) -> pb.GetDocumentResponse:
        """Gives a document."""
        document = await self._service.documents.get(
            tenant_of(context), request.library_id, request.document_id
        )
        return pb.GetDocumentResponse(
            document=convert.of_document(document, with_vector=request.include_vector)
        )

    async def ListDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """Lists a page of documents."""
        found, token = await self._service.documents.page(
            tenant_of(context),
            request.library_id,
            page_size=request.page_size,
            page_token=request.page_token,
            wanted=to_filter(request.filter) if request.HasField("filter") else None,
        )
        return pb.ListDocumentsResponse(
            documents=[convert.of_document(document) for document in found], next_page_token=token
        )

    async def UpdateDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.UpdateDocumentRequest, context: Context
    ) -> pb.UpdateDocumentResponse:
        """Replaces a document's content."""
        policy = KeepPolicy(must_exist=True, if_version=request.if_version)
        kept, document = await self._service.documents.keep(
            tenant_of(context), request.library_id, convert.to_draft(request.document), policy
        )
        return pb.UpdateDocumentResponse(
            document=convert.of_document(document), repeated=kept.state is KeptState.DUPLICATE
        )

    async def DeleteDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteDocumentRequest, context: Context
    ) -> pb.DeleteDocumentResponse:
        """Deletes a document."""
        kept = await self._service.documents.delete(
            tenant_of(context), request.library_id, request.document_id, request.if_version
        )
        return pb.DeleteDocumentResponse(revision=kept.revision)

    async def FindDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.FindDocumentsRequest, context: Context
    ) -> pb.FindDocumentsResponse:
        """Searches, and answers at once."""
        searching = self._service.searching
        wanted = to_search(request.query, request.k, request.options)
        found = await searching.find(tenant_of(context), request.library_id, wanted)
        hits: list[Hit] = []
        async with aclosing(searching.pages(found)) as pages:
            async for page in pages:
                hits += page
        response = pb.FindDocumentsResponse(plan=of_plan(found.plan))
        add_hits(response, hits)
        return response

    async def OpenQuery(  # noqa: N802 - the name of the RPC
        self, request: pb.OpenQueryRequest, context: Context
    ) -> pb.OpenQueryResponse:
        """Opens a live query."""
        search = request.search
        query = await self._service.live.open(
            tenant_of(context),
            request.library_id,
            to_search(search.query, search.k, search.options),
            idle_s_of(request),
        )
        return pb.OpenQueryResponse(query_id=query.query_id)

    async def RefineQuery(  # noqa: N802 - the name of the RPC
        self, request: pb.RefineQueryRequest, context: Context
    ) -> pb.RefineQueryResponse:
        """Changes what a live query looks for."""
        search = request.search
        revision = await self._service.live.refine(
            tenant_of(context), request.query_id, to_search(search.query, search.k, search.options)
        )
        return pb.RefineQueryResponse(query_revision=revision)

    async def EnrollFace(  # noqa: N802 - the name of the RPC
        self, request: pb.EnrollFaceRequest, context: Context
    ) -> pb.EnrollFaceResponse:
        """Keeps a face."""
        faces = self._service.faces
        if request.HasField("template"):
            template = convert.to_template(request.template)
        else:
            template = await faces.template_of(request.image)
        face, repeated = await faces.enroll(
            tenant_of(context), request.library_id, request.subject_id, request.face_id, template
        )
        return pb.EnrollFaceResponse(face=convert.of_face(face), repeated=repeated)

    async def SearchFaces(  # noqa: N802 - the name of the RPC
        self, request: pb.SearchFacesRequest, context: Context
    ) -> pb.SearchFacesResponse:
        """Finds faces."""
        faces = self._service.faces
        if request.HasField("template"):
            template = convert.to_template(request.template)
        else:
            template = await faces.template_of(request.image)
        found = await faces.search(
            tenant_of(context),
            request.library_id,
            template,
            k=request.k or 10,
            minimum_score=request.minimum_score if request.HasField("minimum_score") else None,
        )
        return pb.SearchFacesResponse(
            hits=[convert.of_face_hit(hit) for hit in found.hits],
            compared_count=found.compared_count,
            other_model_count=found.other_model_count,
        )

    async def ListFaces(  # noqa: N802 - the name of the RPC
        self, request: pb.ListFacesRequest, context: Context
    ) -> pb.ListFacesResponse:
        """Lists a page of faces."""
        found, token = await self._service.faces.page(
            tenant_of(context),
            request.library_id,
            subject_id=request.subject_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListFacesResponse(faces=map(convert.of_face, found), next_page_token=token)

    async def DeleteSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteSubjectRequest, context: Context
    ) -> pb.DeleteSubjectResponse:
        """Deletes a subject's templates."""
        count = await self._service.faces.delete_subject(
            tenant_of(context), request.library_id, request.subject_id
        )
        return pb.DeleteSubjectResponse(face_count=count)

    async def EraseSubject(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseSubjectRequest, context: Context
    ) -> pb.EraseSubjectResponse:
        """Erases a subject."""
        erased = await self._service.erasing.erase(
            tenant_of(context), request.subject_id, dry_run=request.dry_run
        )
        return pb.EraseSubjectResponse(kinds=to_kind_counts(erased), review_subjects=erased.review_subjects)

    async def GetStatistics(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetStatisticsRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,
    ) -> pb.GetStatisticsResponse:
        """Gives the numbers."""
        tenant = tenant_of(context)
        totals = await self._service.libraries.totals(tenant)
        commits = self._service.committer.statistics_of(tenant)
        return pb.GetStatisticsResponse(
            library_count=totals.libraries,
            document_count=totals.documents,
            face_count=totals.faces,
            waiting_documents=commits.waiting,
            committed_documents=commits.committed,
            commits=commits.commits,
            refused_documents=commits.refused,
            searches=self._service.searching.searches[tenant],
            live_queries=self._service.live.count(tenant),
            watchers=self._service.logs.subscribers(tenant),
        )

    async def _described(self, library: Library) -> library_pb2.Library:
        progress = await self._service.progress(library)
        return convert.of_library(library, served=self._service.serves(library), reembedding=progress)


def idle_s_of(request: pb.OpenQueryRequest) -> float:
    """How long a query stays without watchers, s."""
    if request.HasField("idle_duration"):
        return request.idle_duration.ToNanoseconds() / _NS
    return DEFAULT_IDLE_S
