"""The client: one connection, one attribute per service."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Self

from vidence_client.batch import BatchClient
from vidence_client.batch_jobs import JobClient
from vidence_client.capture import CaptureClient
from vidence_client.channel import DEFAULT_ADDRESS, Channel, RetryPolicy
from vidence_client.credentials import Credentials
from vidence_client.erasure import ErasureClient
from vidence_client.events import EventsClient
from vidence_client.extraction import ExtractionClient
from vidence_client.face import FaceClient
from vidence_client.library import LibraryClient
from vidence_client.reviews import ReviewClient
from vidence_client.tracing import InjectTrace


class Client:
    """Talks to a Vidence server from asynchronous code.

    Made inside the event loop that uses it; closed by leaving its context, or by `close`.

    Args:
        address: `host:port`, or `unix:/path/to/socket`.
        retry: When failed calls are tried again.
        randomness: Source of the jitter.
        credentials: What calls carry; None: nothing, in plaintext.
        inject_trace: Writes the headers of the current trace; see `vidence_client.tracing`.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        randomness: random.Random | None = None,
        inject_trace: InjectTrace | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._channel = Channel(
            address, retry=retry, randomness=randomness, inject_trace=inject_trace, credentials=credentials
        )
        self.extraction = ExtractionClient(self._channel)
        self.events = EventsClient(self._channel)
        self.batches = BatchClient(self._channel)
        self.jobs = JobClient(self._channel)
        self.faces = FaceClient(self._channel)
        self.capture = CaptureClient(self._channel)
        self.libraries = LibraryClient(self._channel)
        self.reviews = ReviewClient(self._channel)
        self.erasure = ErasureClient(self._channel)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._channel.address

    async def close(self) -> None:
        """Closes the connection; calls that still run are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
