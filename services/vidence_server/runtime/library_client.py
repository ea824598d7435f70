"""Libraries over gRPC, as services see them that put what they read there."""

from __future__ import annotations

from collections.abc import Mapping

from vidence.extraction.v1 import document_pb2
from vidence.library.v1 import face_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence.library.v1 import library_service_pb2_grpc as pb_grpc
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.call_errors import answer_of
from vidence_server.runtime.filed_document import to_library_document
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.service_channel import ServiceChannel


class LibraryClient(ServiceChannel):
    """The library service at an address."""

    def __init__(
        self,
        address: str,
        own_calls: OwnCalls | None = None,
        *,
        deadline_s: float = 30.0,
        connect_s: float = 1.0,
    ) -> None:
        """A client at rest.

        Args:
            address: What a gRPC client dials: `127.0.0.1:50055`, `unix:/run/vidence.sock`.
            own_calls: What each call carries; None: nothing, in plaintext.
            deadline_s: Longest time of one call, s.
            connect_s: Longest wait for the connection, s.
        """
        super().__init__(address, own_calls, called="The library service", connect_s=connect_s)
        self._deadline_s = deadline_s

    async def check(self, tenant: str, library_id: str) -> None:
        """Whether there is such a library.

        Raises:
            DomainError: LIBRARY_NOT_FOUND; NOT_READY, DEADLINE_EXCEEDED where nobody can tell now.
        """
        stub = await self._stub()
        await answer_of(
            stub.GetLibrary(
                pb.GetLibraryRequest(library_id=library_id),
                timeout=self._deadline_s,
                metadata=self.metadata(tenant),
            )
        )

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        """Makes a result a document, the newest version where its id is taken; repeating it changes nothing.

        Raises:
            DomainError: What the service answered; NOT_READY where it is away.
        """
        read = document_pb2.Document.FromString(result)
        document = to_library_document(document_id, read, properties)
        stub, carried = await self._stub(), self.metadata(tenant)
        try:
            new = pb.CreateDocumentRequest(library_id=library_id, document=document)
            await answer_of(stub.CreateDocument(new, timeout=self._deadline_s, metadata=carried))
        except DomainError as error:
            if error.reason is not Reason.DOCUMENT_EXISTS:
                raise
            newer = pb.UpdateDocumentRequest(library_id=library_id, document=document)
            await answer_of(stub.UpdateDocument(newer, timeout=self._deadline_s, metadata=carried))

    async def search_faces(
        self, tenant: str, library_id: str, model: tuple[str, str], data: bytes, k: int
    ) -> list[tuple[str, float]]:
        """The subjects whose faces are most like a template, with their cosines, best first.

        Args:
            tenant: Whose library.
            library_id: Where.
            model: Name and version of what made the template.
            data: The template: 32-bit floats, little-endian.
            k: Subjects at most.

        Raises:
            DomainError: What the service answered; NOT_READY where it is away.
        """
        face = face_pb2.FaceTemplate(model_name=model[0], model_version=model[1], data=data)
        request = pb.SearchFacesRequest(library_id=library_id, template=face, k=k)
        stub = await self._stub()
        found = await answer_of(
            stub.SearchFaces(request, timeout=self._deadline_s, metadata=self.metadata(tenant))
        )
        return [(hit.subject_id, hit.score) for hit in found.hits]

    async def _stub(self) -> pb_grpc.LibraryServiceAsyncStub:
        return pb_grpc.LibraryServiceStub(await self.ready())
