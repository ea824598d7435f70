"""Puts documents into a library before their readings end, where the request names one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Protocol

from vidence.extraction.v1 import document_pb2
from vidence.library.v1 import filing_pb2
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.status import to_status

_DIGITS = 40


class Libraries(Protocol):
    """Libraries as this service needs them; the suite hands it over. They may be away at any time."""

    async def put(
        self,
        tenant: str,
        library_id: str,
        document_id: str,
        result: bytes,
        properties: Mapping[str, str | float],
    ) -> None:
        """Makes an encoded `vidence.extraction.v1.Document` a document of a library, or its newest version.

        Raises:
            DomainError: Why not.
        """
        ...


class DocumentFiling:
    """Files documents. Nothing of a reading outlives its call: there is one attempt, and it is told."""

    def __init__(self, libraries: Libraries | None) -> None:
        """Files into these libraries; None: the server has none."""
        self._libraries = libraries

    async def file(
        self,
        tenant: str,
        library_id: str,
        content: bytes,
        pdf_page: int,
        document: document_pb2.Document,
        *,
        subject_id: str = "",
    ) -> filing_pb2.Filing:
        """Puts what was read of an image into a library; the same image and page are one document.

        Args:
            tenant: Whose library.
            library_id: Which.
            content: The image.
            pdf_page: Its page, from 1.
            document: What was read.
            subject_id: Whose it is, so that it can be erased with everything of this person; empty: unknown.
        """
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        filing = filing_pb2.Filing(
            library_id=library_id,
            document_id=f"doc-{digest[:_DIGITS]}-{pdf_page}",
            state=filing_pb2.FILING_STATE_FILED,
        )
        properties: dict[str, str | float] = {"image_sha256": digest, "pdf_page": float(pdf_page)}
        properties |= {"subject_id": subject_id} if subject_id else {}
        try:
            if self._libraries is None:
                raise DomainError(Reason.NOT_READY, "This server puts nothing into libraries.")
            await self._libraries.put(
                tenant, library_id, filing.document_id, document.SerializeToString(), properties
            )
        except DomainError as error:
            filing.state = filing_pb2.FILING_STATE_REFUSED
            filing.error.CopyFrom(to_status(error, ""))
        return filing
