"""Client of the erasure service: everything that the suite holds of a person goes, and a receipt says so."""

from __future__ import annotations

from typing import Literal, TypeAlias

from vidence.batch.v1 import batch_service_pb2, batch_service_pb2_grpc
from vidence.capture.v1 import capture_service_pb2, capture_service_pb2_grpc
from vidence.erasure.v1 import erasure_pb2, erasure_service_pb2, erasure_service_pb2_grpc
from vidence.library.v1 import library_service_pb2, library_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel

ServiceName: TypeAlias = Literal["capture", "batch", "library"]
ServiceAnswer: TypeAlias = (
    capture_service_pb2.EraseSubjectResponse
    | batch_service_pb2.EraseSubjectResponse
    | library_service_pb2.EraseSubjectResponse
)


class ErasureClient:
    """Purges over one channel. `Client.erasure` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = erasure_service_pb2_grpc.ErasureServiceStub(channel.rpc)
        self._capture = capture_service_pb2_grpc.CaptureServiceStub(channel.rpc)
        self._batch = batch_service_pb2_grpc.BatchServiceStub(channel.rpc)
        self._library = library_service_pb2_grpc.LibraryServiceStub(channel.rpc)

    async def purge(
        self,
        subject_id: str,
        *,
        request_id: str = "",
        dry_run: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> erasure_pb2.Purge:
        """Erases everything of a subject in all services; repeat it while its state is PARTIAL.

        Args:
            subject_id: Who, as it was said where something was stored.
            request_id: The caller's name for the request: the same one never purges twice.
            dry_run: Only count.
            timeout: Seconds for all attempts; the server goes on with what the call does not wait for.

        Returns:
            The purge with its receipt (`vidence_client.receipts`).
        """
        request = erasure_service_pb2.PurgeSubjectRequest(
            subject_id=subject_id, request_id=request_id, dry_run=dry_run
        )
        return (await self._channel.call(self._stub.PurgeSubject, request, timeout=timeout)).purge

    async def get(
        self, purge_id: str = "", *, subject_id: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> erasure_pb2.Purge:
        """Gives a purge with its receipt; without an id the newest of a subject.

        Raises:
            VidenceError: PURGE_NOT_FOUND.
        """
        request = (
            erasure_service_pb2.GetPurgeRequest(purge_id=purge_id)
            if purge_id
            else erasure_service_pb2.GetPurgeRequest(subject_id=subject_id)
        )
        return (await self._channel.call(self._stub.GetPurge, request, timeout=timeout)).purge

    async def erase_in(
        self,
        service: ServiceName,
        subject_id: str,
        *,
        dry_run: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> ServiceAnswer:
        """Erases what one service holds; `purge` asks all of them and leaves a receipt."""
        if service == "capture":
            of_capture = capture_service_pb2.EraseSubjectRequest(subject_id=subject_id, dry_run=dry_run)
            return await self._channel.call(self._capture.EraseSubject, of_capture, timeout=timeout)
        if service == "batch":
            of_batch = batch_service_pb2.EraseSubjectRequest(subject_id=subject_id, dry_run=dry_run)
            return await self._channel.call(self._batch.EraseSubject, of_batch, timeout=timeout)
        of_library = library_service_pb2.EraseSubjectRequest(subject_id=subject_id, dry_run=dry_run)
        return await self._channel.call(self._library.EraseSubject, of_library, timeout=timeout)
