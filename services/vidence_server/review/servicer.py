"""Reviews over gRPC: translates requests, events and errors; decides nothing."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from vidence.review.v1 import review_service_pb2 as pb
from vidence.review.v1 import review_service_pb2_grpc as pb_grpc
from vidence_server.review import convert
from vidence_server.review.service import ReviewService
from vidence_server.review.store import Name
from vidence_server.runtime.rpc import current_tenant
from vidence_server.runtime.status import to_duration
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchStreams
from vidence_server.streams.requests import Earliest

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ReviewService"].full_name


class ReviewServicer(pb_grpc.ReviewServiceServicer):
    """`vidence.review.v1.ReviewService`; its proto states what each RPC promises."""

    def __init__(self, service: ReviewService, watches: WatchStreams) -> None:
        self._service = service
        self._watches = watches

    async def GetReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.GetReviewResponse:
        """Gives a review."""
        whole = await self._service.whole(_name(request.subject))
        return pb.GetReviewResponse(
            review=convert.to_review(whole.review),
            notes=map(convert.to_note, whole.notes),
            attendants=map(convert.to_attendant, whole.attendants),
            cursor=whole.cursor,
        )

    async def ListReviews(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ListReviewsRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.ListReviewsResponse:
        """Lists a page of reviews."""
        page = await self._service.page(
            current_tenant(),
            page_size=request.page_size,
            page_token=request.page_token,
            undecided=request.undecided,
        )
        return pb.ListReviewsResponse(
            reviews=map(convert.to_review, page.reviews), next_page_token=page.next_page_token
        )

    async def WatchReview(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchReviewRequest, context: Context
    ) -> None:
        """Tells what happens in a review."""
        wanted = to_watch_request(request, default=Earliest())
        await self._watches.serve(context, self._service.log_of(_name(request.subject)), wanted)

    async def ClaimReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ClaimReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.ClaimReviewResponse:
        """Lets somebody work on a review."""
        review = await self._service.claim(
            _name(request.subject),
            request.reviewer,
            expected=request.expected_revision,
            take_over=request.take_over,
        )
        return pb.ClaimReviewResponse(review=convert.to_review(review))

    async def ReleaseReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ReleaseReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.ReleaseReviewResponse:
        """Takes a claim back."""
        review = await self._service.release(_name(request.subject), request.reviewer)
        return pb.ReleaseReviewResponse(review=convert.to_review(review))

    async def AddNote(  # noqa: N802 - the name of the RPC
        self,
        request: pb.AddNoteRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.AddNoteResponse:
        """Keeps a note."""
        note, review = await self._service.note(
            _name(request.subject), request.note_id, request.reviewer, request.text
        )
        return pb.AddNoteResponse(note=convert.to_note(note), review=convert.to_review(review))

    async def SetVerdict(  # noqa: N802 - the name of the RPC
        self,
        request: pb.SetVerdictRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.SetVerdictResponse:
        """Keeps a decision."""
        review = await self._service.decide(
            _name(request.subject),
            request.reviewer,
            convert.of_verdict(request.verdict),
            expected=request.expected_revision,
        )
        return pb.SetVerdictResponse(review=convert.to_review(review))

    async def AttendReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.AttendReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.AttendReviewResponse:
        """Lets somebody count as present."""
        there = await self._service.attend(_name(request.subject), request.attendance_id, request.reviewer)
        return pb.AttendReviewResponse(
            attendants=map(convert.to_attendant, there), lease_duration=to_duration(self._service.lease_s)
        )

    async def LeaveReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.LeaveReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.LeaveReviewResponse:
        """Lets somebody count as present no more."""
        await self._service.leave(_name(request.subject), request.attendance_id)
        return pb.LeaveReviewResponse()

    async def DeleteReview(  # noqa: N802 - the name of the RPC
        self,
        request: pb.DeleteReviewRequest,
        context: Context,  # noqa: ARG002 - of the RPC
    ) -> pb.DeleteReviewResponse:
        """Deletes a review."""
        await self._service.delete(_name(request.subject))
        return pb.DeleteReviewResponse()


def _name(subject: str) -> Name:
    return Name(current_tenant(), subject)
