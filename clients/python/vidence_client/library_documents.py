"""Documents of a library, one by one; `library_transfer` moves many."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vidence.library.v1 import library_pb2, library_service_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.library_calls import LibraryCalls


class LibraryDocuments(LibraryCalls):
    """Keeps, gives and lists documents; a part of `LibraryClient`."""

    async def create_document(
        self, library_id: str, document: library_pb2.Document, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> library_service_pb2.CreateDocumentResponse:
        """Keeps a document; one that has an id may be kept again without harm.

        Raises:
            VidenceError: DOCUMENT_EXISTS where the id has other content, or the call failed.
        """
        request = library_service_pb2.CreateDocumentRequest(library_id=library_id, document=document)
        return await self._channel.call(self._stub.CreateDocument, request, timeout=timeout)

    async def update_document(
        self,
        library_id: str,
        document: library_pb2.Document,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.UpdateDocumentResponse:
        """Replaces the content of a document; with `if_version` only if that is its version.

        Raises:
            VidenceError: DOCUMENT_NOT_FOUND, REVISION_MISMATCH, or the call failed.
        """
        request = library_service_pb2.UpdateDocumentRequest(
            library_id=library_id, document=document, if_version=if_version
        )
        return await self._channel.call(self._stub.UpdateDocument, request, timeout=timeout)

    async def get_document(
        self,
        library_id: str,
        document_id: str,
        *,
        include_vector: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_pb2.Document:
        """Gives a document; raises `VidenceError`, DOCUMENT_NOT_FOUND."""
        request = library_service_pb2.GetDocumentRequest(
            library_id=library_id, document_id=document_id, include_vector=include_vector
        )
        response = await self._channel.call(self._stub.GetDocument, request, timeout=timeout)
        return response.document

    async def delete_document(
        self,
        library_id: str,
        document_id: str,
        *,
        if_version: int = 0,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> int:
        """Deletes a document; gives the library's revision. Raises `VidenceError`, DOCUMENT_NOT_FOUND."""
        request = library_service_pb2.DeleteDocumentRequest(
            library_id=library_id, document_id=document_id, if_version=if_version
        )
        response = await self._channel.call(self._stub.DeleteDocument, request, timeout=timeout)
        return response.revision

    async def list_documents(
        self,
        library_id: str,
        *,
        filter: library_pb2.Filter | None = None,  # noqa: A002 - the field's name
        page_size: int = 500,
    ) -> AsyncIterator[library_pb2.Document]:
        """Gives all documents that match, by their ids, page by page; raises `VidenceError`."""
        token = ""
        while True:
            request = library_service_pb2.ListDocumentsRequest(
                library_id=library_id, filter=filter, page_size=page_size, page_token=token
            )
            page = await self._channel.call(self._stub.ListDocuments, request)
            for document in page.documents:
                yield document
            token = page.next_page_token
            if not token:
                return
