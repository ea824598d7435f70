"""Reading documents from plain code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidence.extraction.v1 import document_pb2, extraction_service_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.extraction import ExtractionClient as AsyncExtractionClient
from vidence_client.extraction import Response
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Stream


class ExtractionClient:
    """Reads documents, for plain code; see `vidence_client.extraction.ExtractionClient`."""

    def __init__(self, client: AsyncExtractionClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def extract(
        self,
        content: bytes | Path,
        *,
        document_type: str = "",
        pdf_page: int = 0,
        catalogue: str = "",
        profile: str = "",
        record: bool = False,
        library_id: str = "",
        subject_id: str = "",
        heartbeat_period_s: float | None = None,
        timeout: float | None = None,
    ) -> Stream[Response]:
        """Reads one document and streams each field; arguments as in the asynchronous client."""
        stream = self._client.extract(
            content,
            document_type=document_type,
            pdf_page=pdf_page,
            catalogue=catalogue,
            profile=profile,
            record=record,
            library_id=library_id,
            subject_id=subject_id,
            heartbeat_period_s=heartbeat_period_s,
            timeout=timeout,
        )
        return Stream(stream, self._thread)

    def read(
        self,
        content: bytes | Path,
        *,
        document_type: str = "",
        pdf_page: int = 0,
        catalogue: str = "",
        profile: str = "",
        record: bool = False,
        library_id: str = "",
        subject_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> extraction_service_pb2.ReadDocumentResponse:
        """Reads one document and answers once; arguments and errors as in the asynchronous client."""
        reading = self._client.read(
            content,
            document_type=document_type,
            pdf_page=pdf_page,
            catalogue=catalogue,
            profile=profile,
            record=record,
            library_id=library_id,
            subject_id=subject_id,
            timeout=timeout,
        )
        return self._thread.run(reading)

    def list_document_types(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Sequence[document_pb2.DocumentType]:
        """Lists the document types that can be read; errors as in the asynchronous client."""
        return self._thread.run(self._client.list_document_types(timeout=timeout))
