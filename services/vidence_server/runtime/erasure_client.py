"""The erasure of a subject's data in another service, over gRPC, and how its counts look on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vidence.batch.v1 import batch_service_pb2 as batch
from vidence.capture.v1 import capture_service_pb2 as capture
from vidence.erasure.v1 import erasure_pb2
from vidence.library.v1 import library_service_pb2 as library
from vidence_server.core.erasure import Erasure, KindCount
from vidence_server.runtime.call_errors import answer_of
from vidence_server.runtime.own_calls import OwnCalls
from vidence_server.runtime.service_channel import ServiceChannel

_METHODS: Mapping[str, tuple[str, Any, Any]] = {
    name: (
        f"/{messages.DESCRIPTOR.services_by_name[service].full_name}/EraseSubject",
        messages.EraseSubjectRequest,
        messages.EraseSubjectResponse,
    )
    for name, service, messages in (
        ("capture", "CaptureService", capture),
        ("batch", "BatchService", batch),
        ("library", "LibraryService", library),
    )
}
"""By the names of `vidence serve`: all of them have the same RPC."""


class ErasureClient(ServiceChannel):
    """A service that holds data of people, at an address."""

    def __init__(
        self, service: str, address: str, own_calls: OwnCalls | None = None, *, deadline_s: float = 60.0
    ) -> None:
        """A client at rest.

        Args:
            service: `capture`, `batch` or `library`.
            address: What a gRPC client dials.
            own_calls: What each call carries; None: nothing, in plaintext.
            deadline_s: Longest time of one call, s.
        """
        super().__init__(address, own_calls, called=f"The {service} service")
        self._path, self._request, self._response = _METHODS[service]
        self._deadline_s = deadline_s

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases what the service holds of a subject, or only counts it.

        Raises:
            DomainError: What the service answered; NOT_READY where it is away.
        """
        channel = await self.ready()
        call: Any = channel.unary_unary(
            self._path,
            request_serializer=self._request.SerializeToString,
            response_deserializer=self._response.FromString,
        )
        request = self._request(subject_id=subject_id, dry_run=dry_run)
        answer = await answer_of(call(request, timeout=self._deadline_s, metadata=self.metadata(tenant)))
        return Erasure(tuple(map(_kind, answer.kinds)), tuple(answer.review_subjects))


def to_kind_counts(erased: Erasure) -> Iterable[erasure_pb2.KindCount]:
    """The counts of an erasure as messages."""
    return [
        erasure_pb2.KindCount(
            kind=kind.kind, found_count=kind.found, erased_count=kind.erased, failed_count=kind.failed
        )
        for kind in erased.kinds
    ]


def _kind(message: erasure_pb2.KindCount) -> KindCount:
    return KindCount(message.kind, message.found_count, message.erased_count, message.failed_count)
