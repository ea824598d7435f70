"""Faces of a library: enrolled, found, deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vidence.library.v1 import face_pb2, library_service_pb2, library_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel


class LibraryFaces:
    """Faces over one channel. `Client.libraries.faces` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = library_service_pb2_grpc.LibraryServiceStub(channel.rpc)

    async def enroll(
        self,
        library_id: str,
        subject_id: str,
        face: face_pb2.FaceTemplate | bytes,
        *,
        face_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.EnrollFaceResponse:
        """Keeps a face template.

        Args:
            library_id: Where.
            subject_id: Whose face it is: a pseudonym.
            face: The template, or a picture with exactly one face.
            face_id: Names the template; empty: the server gives a name.
            timeout: Seconds for all attempts.

        Raises:
            VidenceError: FACE_EXISTS, EMBEDDING_UNAVAILABLE, LIBRARY_NOT_FOUND, or the picture was refused.
        """
        request = library_service_pb2.EnrollFaceRequest(
            library_id=library_id, subject_id=subject_id, face_id=face_id
        )
        if isinstance(face, bytes):
            request.image = face
        else:
            request.template.CopyFrom(face)
        return await self._channel.call(self._stub.EnrollFace, request, timeout=timeout)

    async def search(
        self,
        library_id: str,
        face: face_pb2.FaceTemplate | bytes,
        *,
        k: int = 0,
        minimum_score: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.SearchFacesResponse:
        """Finds the subjects whose templates are closest to a face, best first.

        Args:
            library_id: Where to look.
            face: The template, or a picture with exactly one face.
            k: Subjects at most; 0: 10.
            minimum_score: Subjects below this score are left out.
            timeout: Seconds for all attempts.

        Raises:
            VidenceError: EMBEDDING_UNAVAILABLE, LIBRARY_NOT_FOUND, or the picture was refused.
        """
        request = library_service_pb2.SearchFacesRequest(
            library_id=library_id, k=k, minimum_score=minimum_score
        )
        if isinstance(face, bytes):
            request.image = face
        else:
            request.template.CopyFrom(face)
        return await self._channel.call(self._stub.SearchFaces, request, timeout=timeout)

    async def list(
        self, library_id: str, *, subject_id: str = "", page_size: int = 500
    ) -> AsyncIterator[face_pb2.Face]:
        """Gives the faces of a subject, or all, by their ids, page by page; raises `VidenceError`."""
        token = ""
        while True:
            request = library_service_pb2.ListFacesRequest(
                library_id=library_id, subject_id=subject_id, page_size=page_size, page_token=token
            )
            page = await self._channel.call(self._stub.ListFaces, request)
            for face in page.faces:
                yield face
            token = page.next_page_token
            if not token:
                return

    async def delete_subject(
        self, library_id: str, subject_id: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> int:
        """Deletes all templates of a subject; gives how many. Raises `VidenceError`, SUBJECT_NOT_FOUND."""
        request = library_service_pb2.DeleteSubjectRequest(library_id=library_id, subject_id=subject_id)
        response = await self._channel.call(self._stub.DeleteSubject, request, timeout=timeout)
        return response.face_count
