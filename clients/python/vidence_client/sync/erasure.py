"""Erasure from plain code."""

from __future__ import annotations

from vidence.erasure.v1 import erasure_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.erasure import ErasureClient as AsyncErasureClient
from vidence_client.erasure import ServiceAnswer, ServiceName
from vidence_client.sync.loop_thread import LoopThread


class ErasureClient:
    """Purges, for plain code; arguments and errors as in `vidence_client.erasure.ErasureClient`."""

    def __init__(self, client: AsyncErasureClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def purge(
        self,
        subject_id: str,
        *,
        request_id: str = "",
        dry_run: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> erasure_pb2.Purge:
        """Erases everything of a subject in all services; repeat it while its state is PARTIAL."""
        purging = self._client.purge(subject_id, request_id=request_id, dry_run=dry_run, timeout=timeout)
        return self._thread.run(purging)

    def get(
        self, purge_id: str = "", *, subject_id: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> erasure_pb2.Purge:
        """Gives a purge with its receipt; without an id the newest of a subject."""
        return self._thread.run(self._client.get(purge_id, subject_id=subject_id, timeout=timeout))

    def erase_in(
        self,
        service: ServiceName,
        subject_id: str,
        *,
        dry_run: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> ServiceAnswer:
        """Erases what one service holds."""
        erasing = self._client.erase_in(service, subject_id, dry_run=dry_run, timeout=timeout)
        return self._thread.run(erasing)
