"""Client of the extraction service: reads documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from vidence.extraction.v1 import document_pb2, extraction_service_pb2, extraction_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.contents import bytes_of
from vidence_client.stream import Envelope, Stream, StreamCall, envelope_of

Response = extraction_service_pb2.ExtractDocumentResponse


_ENVELOPE: Envelope[Response] = envelope_of("extraction_complete", "extraction_failed")


class ExtractionClient:
    """Reads documents over one channel. `Client.extraction` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = extraction_service_pb2_grpc.ExtractionServiceStub(channel.rpc)

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
        """Reads one document and streams each field as soon as it is read.

        Nothing happens until the first message is asked for. A reading is not tried again by itself, except
        when the server refuses to begin and says when to come back.

        Args:
            content: The file's bytes, or where it lies.
            document_type: Key of the type; empty: the service finds it out.
            pdf_page: Page of a PDF, from 1; 0: the first.
            catalogue: Name of the card catalogue for decklists; empty: the server's default.
            profile: `fast`, `balanced` or `accurate`; empty: the server's default.
            record: Whether the last message brings the provenance record (`vidence_client.provenance`).
            library_id: The library that the document goes into, told by the last message; empty: none.
            subject_id: Whose document goes into the library, so that it can be erased; empty: not said.
            heartbeat_period_s: How often the server shows that it is alive, 1–300 s; None: its default.
            timeout: Seconds for the whole reading; None: no limit, a silent server is noticed all the same.

        Returns:
            The stream; iterating raises `VidenceError`, and `OSError` where the file cannot be read.
        """
        options = _options(pdf_page, heartbeat_period_s, catalogue=catalogue, profile=profile, record=record)
        options.library_id, options.subject_id = library_id, subject_id

        async def start(remaining_s: float | None) -> StreamCall:
            (picture,) = await bytes_of(content)
            request = extraction_service_pb2.ExtractDocumentRequest(
                content=picture, document_type=document_type, options=options
            )
            return self._stub.ExtractDocument(request, timeout=remaining_s)

        return Stream(start, _ENVELOPE, self._channel, timeout=timeout)

    async def read(
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
        """Reads one document and answers once; arguments as in `extract`, `timeout` for all attempts.

        Raises:
            VidenceError: The reading failed; `ServerUnreachable` where nothing answered.
            OSError: The file cannot be read.
        """
        (picture,) = await bytes_of(content)
        options = _options(pdf_page, None, catalogue=catalogue, profile=profile, record=record)
        options.library_id, options.subject_id = library_id, subject_id
        request = extraction_service_pb2.ReadDocumentRequest(
            content=picture, document_type=document_type, options=options
        )
        return await self._channel.call(self._stub.ReadDocument, request, timeout=timeout)

    async def list_document_types(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Sequence[document_pb2.DocumentType]:
        """Lists the document types that can be read, sorted by key; `timeout` in seconds for all attempts.

        Raises:
            VidenceError: The call failed; `ServerUnreachable` where nothing answered.
        """
        request = extraction_service_pb2.ListDocumentTypesRequest()
        response = await self._channel.call(self._stub.ListDocumentTypes, request, timeout=timeout)
        return response.document_types


def _options(
    pdf_page: int, heartbeat_period_s: float | None, *, catalogue: str, profile: str, record: bool
) -> extraction_service_pb2.ExtractionOptions:
    options = extraction_service_pb2.ExtractionOptions(
        pdf_page=pdf_page, catalogue=catalogue, profile=profile, record=record
    )
    if heartbeat_period_s is not None:
        options.heartbeat_period.FromTimedelta(timedelta(seconds=heartbeat_period_s))
    return options
