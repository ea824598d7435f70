"""The SDK for plain code: the same calls, run on one event loop in a background thread.

Objects of this module may be used from any thread, also where an event loop runs already. A client belongs to
the process that made it: after a fork, make a new one.

A program that forks while a client is open must be started with `GRPC_ENABLE_FORK_SUPPORT=0`: gRPC's own fork
handlers are skipped while its poller runs, and the child process may then crash before any code of this
module sees it.
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import Self

from vidence_client import client as asynchronous
from vidence_client.channel import DEFAULT_ADDRESS, RetryPolicy
from vidence_client.credentials import Credentials
from vidence_client.publishing import Publisher
from vidence_client.sync.batch import BatchClient
from vidence_client.sync.batch_jobs import JobClient
from vidence_client.sync.capture import CaptureClient
from vidence_client.sync.erasure import ErasureClient
from vidence_client.sync.events import EventsClient
from vidence_client.sync.extraction import ExtractionClient
from vidence_client.sync.face import FaceClient
from vidence_client.sync.library import LibraryClient
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.reviews import ReviewClient
from vidence_client.sync.stream import Stream, Watch

__all__ = [
    "BatchClient",
    "CaptureClient",
    "Client",
    "ErasureClient",
    "EventsClient",
    "ExtractionClient",
    "FaceClient",
    "JobClient",
    "LibraryClient",
    "LoopThread",
    "Publisher",
    "ReviewClient",
    "Stream",
    "Watch",
]


class Client:
    """Talks to a Vidence server from plain code; arguments as in `vidence_client.Client`.

    Closed by leaving its context, by `close`, and at the latest when the program ends.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        randomness: random.Random | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._thread = LoopThread()
        client = self._thread.run(_make(address, retry, randomness, credentials))
        self._thread.before_end(client.close)
        self.address = address
        self.extraction = ExtractionClient(client.extraction, self._thread)
        self.events = EventsClient(client.events, self._thread)
        self.batches = BatchClient(client.batches, self._thread)
        self.jobs = JobClient(client.jobs, self._thread)
        self.faces = FaceClient(client.faces, self._thread)
        self.capture = CaptureClient(client.capture, self._thread)
        self.libraries = LibraryClient(client.libraries, self._thread)
        self.reviews = ReviewClient(client.reviews, self._thread)
        self.erasure = ErasureClient(client.erasure, self._thread)

    def close(self) -> None:
        """Closes the connection; calls that still run are cancelled. May be called again."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _make(
    address: str,
    retry: RetryPolicy | None,
    randomness: random.Random | None,
    credentials: Credentials | None,
) -> asynchronous.Client:
    """Makes the client inside the loop that it will use."""
    return asynchronous.Client(address, retry=retry, randomness=randomness, credentials=credentials)
