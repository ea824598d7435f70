"""Faces of libraries, for plain code."""

from __future__ import annotations

from collections.abc import Iterator

from vidence.library.v1 import face_pb2, library_service_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.library_faces import LibraryFaces as AsyncLibraryFaces
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import next_of


class LibraryFaces:
    """Faces, for plain code; see `vidence_client.library_faces.LibraryFaces`."""

    def __init__(self, client: AsyncLibraryFaces, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def enroll(
        self,
        library_id: str,
        subject_id: str,
        face: face_pb2.FaceTemplate | bytes,
        *,
        face_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.EnrollFaceResponse:
        """Keeps a face template."""
        enrolling = self._client.enroll(library_id, subject_id, face, face_id=face_id, timeout=timeout)
        return self._thread.run(enrolling)

    def search(
        self,
        library_id: str,
        face: face_pb2.FaceTemplate | bytes,
        *,
        k: int = 0,
        minimum_score: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> library_service_pb2.SearchFacesResponse:
        """Finds the subjects whose templates are closest to a face."""
        searching = self._client.search(library_id, face, k=k, minimum_score=minimum_score, timeout=timeout)
        return self._thread.run(searching)

    def list(self, library_id: str, *, subject_id: str = "", page_size: int = 500) -> Iterator[face_pb2.Face]:
        """Gives the faces of a subject, or all, by their ids, page by page."""
        faces = self._client.list(library_id, subject_id=subject_id, page_size=page_size)
        while (face := self._thread.run(next_of(faces))) is not None:
            yield face

    def delete_subject(self, library_id: str, subject_id: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> int:
        """Deletes all templates of a subject; gives how many."""
        return self._thread.run(self._client.delete_subject(library_id, subject_id, timeout=timeout))
