"""Reviews from plain code."""

from __future__ import annotations

from collections.abc import Iterator

from vidence.review.v1 import review_pb2, review_service_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.reviews import ReviewClient as AsyncReviewClient
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Watch, next_of
from vidence_client.watch_shape import GapListener, ReconnectListener

ReviewWatch = Watch[review_service_pb2.WatchReviewResponse, review_service_pb2.ReviewEvent]


class ReviewClient:
    """Reviews, for plain code; arguments and errors as in `vidence_client.reviews.ReviewClient`."""

    def __init__(self, client: AsyncReviewClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def get(
        self, subject: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> review_service_pb2.GetReviewResponse:
        """Gives a review with its notes, who is there, and the cursor from which `watch` tells the rest."""
        return self._thread.run(self._client.get(subject, timeout=timeout))

    def list(self, *, undecided: bool = False) -> Iterator[review_pb2.Review]:
        """Gives all reviews, the last changed first."""
        reviews = self._client.list(undecided=undecided)
        while (review := self._thread.run(next_of(reviews))) is not None:
            yield review

    def watch(
        self,
        subject: str,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> ReviewWatch:
        """Tells what happens in a review."""
        watch = self._client.watch(subject, after=after, on_gap=on_gap, on_reconnect=on_reconnect)
        return Watch(watch, self._thread)

    def claim(
        self,
        subject: str,
        reviewer: str,
        *,
        expected_revision: int,
        take_over: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Review:
        """Makes somebody the one who works on it."""
        claiming = self._client.claim(
            subject, reviewer, expected_revision=expected_revision, take_over=take_over, timeout=timeout
        )
        return self._thread.run(claiming)

    def release(
        self, subject: str, reviewer: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> review_pb2.Review:
        """Gives a claim back."""
        return self._thread.run(self._client.release(subject, reviewer, timeout=timeout))

    def note(
        self,
        subject: str,
        reviewer: str,
        text: str,
        *,
        note_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Note:
        """Adds a note."""
        return self._thread.run(self._client.note(subject, reviewer, text, note_id=note_id, timeout=timeout))

    def decide(
        self,
        subject: str,
        reviewer: str,
        verdict: review_pb2.Verdict.ValueType,
        *,
        expected_revision: int,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Review:
        """Decides."""
        deciding = self._client.decide(
            subject, reviewer, verdict, expected_revision=expected_revision, timeout=timeout
        )
        return self._thread.run(deciding)

    def delete(self, subject: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        """Deletes a review with its notes."""
        self._thread.run(self._client.delete(subject, timeout=timeout))
