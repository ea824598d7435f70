"""Client of the review service: who looks at what, who works on it, what they note and decide."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence

from vidence.review.v1 import review_pb2, review_service_pb2, review_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.selection import WatchStart
from vidence_client.stream import StreamCall
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

ReviewWatch = Watch[review_service_pb2.WatchReviewResponse, review_service_pb2.ReviewEvent]


class ReviewClient:
    """Reviews sessions, batches and events over one channel. `Client.reviews` is one.

    A subject is `sessions/ses_…`, `batches/bat_…`, or `events/` and the cursor of an event.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = review_service_pb2_grpc.ReviewServiceStub(channel.rpc)

    async def get(
        self, subject: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> review_service_pb2.GetReviewResponse:
        """Gives a review with its notes, who is there, and the cursor from which `watch` tells the rest."""
        request = review_service_pb2.GetReviewRequest(subject=subject)
        return await self._channel.call(self._stub.GetReview, request, timeout=timeout)

    async def list(
        self, *, undecided: bool = False, timeout: float = DEFAULT_TIMEOUT_S
    ) -> AsyncIterator[review_pb2.Review]:
        """Gives all reviews, the last changed first, page by page."""
        token = ""
        while True:
            request = review_service_pb2.ListReviewsRequest(undecided=undecided, page_token=token)
            page = await self._channel.call(self._stub.ListReviews, request, timeout=timeout)
            for review in page.reviews:
                yield review
            token = page.next_page_token
            if not token:
                return

    def watch(
        self,
        subject: str,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
    ) -> ReviewWatch:
        """Tells what happens in a review, from its first change or after a cursor; see `Watch`."""
        position = WatchStart(after=after, skip_expired=on_gap is not None)

        def begin(cursor: str) -> StreamCall:
            request = review_service_pb2.WatchReviewRequest(subject=subject)
            position.apply(request, cursor)
            return self._stub.WatchReview(request)

        return Watch(begin, _events_of, self._channel, after=after, on_gap=on_gap, on_reconnect=on_reconnect)

    async def claim(
        self,
        subject: str,
        reviewer: str,
        *,
        expected_revision: int,
        take_over: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Review:
        """Makes somebody the one who works on it; raises `VidenceError`, REVIEW_CHANGED, REVIEW_CLAIMED."""
        request = review_service_pb2.ClaimReviewRequest(
            subject=subject, reviewer=reviewer, expected_revision=expected_revision, take_over=take_over
        )
        return (await self._channel.call(self._stub.ClaimReview, request, timeout=timeout)).review

    async def release(
        self, subject: str, reviewer: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> review_pb2.Review:
        """Gives a claim back."""
        request = review_service_pb2.ReleaseReviewRequest(subject=subject, reviewer=reviewer)
        return (await self._channel.call(self._stub.ReleaseReview, request, timeout=timeout)).review

    async def note(
        self,
        subject: str,
        reviewer: str,
        text: str,
        *,
        note_id: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Note:
        """Adds a note, once for each `note_id`; empty: a new one. Raises `VidenceError`, REVIEW_FULL."""
        request = review_service_pb2.AddNoteRequest(
            subject=subject, reviewer=reviewer, text=text, note_id=note_id or uuid.uuid4().hex
        )
        return (await self._channel.call(self._stub.AddNote, request, timeout=timeout)).note

    async def decide(
        self,
        subject: str,
        reviewer: str,
        verdict: review_pb2.Verdict.ValueType,
        *,
        expected_revision: int,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> review_pb2.Review:
        """Decides; raises `VidenceError`, REVIEW_CHANGED, REVIEW_CLAIMED."""
        request = review_service_pb2.SetVerdictRequest(
            subject=subject, reviewer=reviewer, expected_revision=expected_revision, verdict=verdict
        )
        return (await self._channel.call(self._stub.SetVerdict, request, timeout=timeout)).review

    async def delete(self, subject: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        """Deletes a review with its notes; raises `VidenceError`, REVIEW_NOT_FOUND."""
        request = review_service_pb2.DeleteReviewRequest(subject=subject)
        await self._channel.call(self._stub.DeleteReview, request, timeout=timeout)


def _events_of(
    response: review_service_pb2.WatchReviewResponse,
) -> Sequence[review_service_pb2.ReviewEvent]:
    return response.events
