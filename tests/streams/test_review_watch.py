"""The stream contract on reviews, judged by the validators; refusals as clients see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import eventually
from fakes.review import ReviewServer, review_server
from fakes.runtime import error_info, status_of
from vidence.event.v1 import event_pb2
from vidence.review.v1 import review_events_pb2, review_pb2
from vidence.review.v1 import review_service_pb2 as pb
from vidence_client.conformance import LoggedEvent, PublishedLog, Watcher, check_watch, from_responses

SESSION = "sessions/ses_1"


async def read_until(call: Any, kind: str) -> list[pb.WatchReviewResponse]:
    """The messages up to the first one with an event of a kind."""
    seen: list[pb.WatchReviewResponse] = []
    while not any(event.WhichOneof("payload") == kind for message in seen for event in message.events):
        message = await call.read()
        assert message is not grpc.aio.EOF
        seen.append(message)
    return seen


def kinds(messages: list[pb.WatchReviewResponse]) -> list[str | None]:
    return [event.WhichOneof("payload") for message in messages for event in message.events]


async def work_on(server: ReviewServer) -> None:
    """One change of each kind, by two reviewers."""
    reviews = server.reviews
    await reviews.AttendReview(pb.AttendReviewRequest(subject=SESSION, reviewer="Ana", attendance_id="w-1"))
    await reviews.ClaimReview(pb.ClaimReviewRequest(subject=SESSION, reviewer="Ana"))
    await reviews.AddNote(
        pb.AddNoteRequest(subject=SESSION, reviewer="Ben", note_id="n-1", text="look at the seal")
    )
    await reviews.SetVerdict(
        pb.SetVerdictRequest(
            subject=SESSION, reviewer="Ana", expected_revision=2, verdict=review_pb2.VERDICT_APPROVED
        )
    )
    await reviews.ReleaseReview(pb.ReleaseReviewRequest(subject=SESSION, reviewer="Ana"))


@pytest.mark.requirement("R-WE5", "R-ST4")
async def test_every_watcher_sees_each_change_once_and_resumes_after_a_restart(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server:
        call = server.reviews.WatchReview(pb.WatchReviewRequest(subject=SESSION))
        await work_on(server)
        first = await read_until(call, "note_added")
        call.cancel()
    async with review_server(tmp_path) as server:
        request = pb.WatchReviewRequest(subject=SESSION, after_cursor=first[-1].cursor)
        second = await read_until(server.reviews.WatchReview(request), "released")
        again = server.reviews.WatchReview(pb.WatchReviewRequest(subject=SESSION))
        whole = await read_until(again, "released")
        state = await server.get(SESSION)
    assert kinds(whole) == ["presence", "claimed", "note_added", "decided", "released"]
    log = PublishedLog([LoggedEvent(e.cursor, e.cursor) for message in whole for e in message.events])
    assert check_watch(Watcher((from_responses(first), from_responses(second))), log) == []
    assert state.review == whole[-1].events[-1].released.review
    assert (state.review.revision, [note.text for note in state.notes]) == (4, ["look at the seal"])


@pytest.mark.requirement("R-WE5")
async def test_the_cursor_of_what_is_there_leads_to_what_comes(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server:
        assert (await server.get(SESSION)).cursor == ""
        await work_on(server)
        state = await server.get(SESSION)
        request = pb.WatchReviewRequest(subject=SESSION, after_cursor=state.cursor)
        call = server.reviews.WatchReview(request)
        await server.reviews.LeaveReview(pb.LeaveReviewRequest(subject=SESSION, attendance_id="w-1"))
        assert kinds(await read_until(call, "presence")) == ["presence"]
        assert [each.reviewer for each in state.attendants] == ["Ana"]


@pytest.mark.requirement("R-WE5")
async def test_who_is_gone_without_a_word_is_told_of(tmp_path: Path) -> None:
    async with review_server(tmp_path, presence_lease_s=0.2, presence_sweep_s=0.05) as server:
        call = server.reviews.WatchReview(pb.WatchReviewRequest(subject=SESSION))
        answer = await server.reviews.AttendReview(
            pb.AttendReviewRequest(subject=SESSION, reviewer="Ana", attendance_id="w-1")
        )
        assert answer.lease_duration.ToNanoseconds() == 200_000_000
        told: list[list[str]] = []
        while len(told) < 2:
            message = await call.read()
            assert isinstance(message, pb.WatchReviewResponse)
            told += [[one.reviewer for one in event.presence.attendants] for event in message.events]
        assert told == [["Ana"], []]


@pytest.mark.requirement("R-WE5", "R-ST8")
async def test_refusals_name_the_reason_and_the_revision(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server:
        await server.reviews.ClaimReview(pb.ClaimReviewRequest(subject=SESSION, reviewer="Ana"))
        cases = [
            (pb.ClaimReviewRequest(subject=SESSION, reviewer="Ben"), grpc.StatusCode.ABORTED),
            (
                pb.ClaimReviewRequest(subject=SESSION, reviewer="Ben", expected_revision=1),
                grpc.StatusCode.FAILED_PRECONDITION,
            ),
        ]
        for request, code in cases:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await server.reviews.ClaimReview(request)
            assert refused.value.code() is code
            assert error_info(status_of(refused.value)).metadata["revision"] == "1"
        for subject in ("batches", "libraries/l", "batches/a b", "batches/a/b"):
            with pytest.raises(grpc.aio.AioRpcError) as wrong:
                await server.get(subject)
            assert wrong.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as nobody:
            await server.reviews.ClaimReview(pb.ClaimReviewRequest(subject=SESSION, reviewer="  "))
        assert nobody.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.requirement("R-WE5", "R-EV1")
async def test_the_bus_hears_of_changes_and_of_nobodys_name_or_words(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server:
        await work_on(server)
        await server.reviews.DeleteReview(pb.DeleteReviewRequest(subject=SESSION))
        await eventually(lambda: len(server.bus.log) == 5)
        events = [event_pb2.Event.FromString(each.encoded) for each in server.bus.log]
        assert (await server.get(SESSION)).review.revision == 0
    names = [event.type.removeprefix("review.") for event in events]
    assert names == ["claimed", "noted", "decided", "released", "deleted"]
    told = review_events_pb2.ReviewChanged()
    assert events[2].data.Unpack(told)
    assert (told.revision, told.verdict, told.claimed) == (3, review_pb2.VERDICT_APPROVED, True)
    everything = b"".join(each.encoded for each in server.bus.log)
    assert b"Ana" not in everything
    assert b"seal" not in everything


@pytest.mark.requirement("R-WE5")
async def test_a_review_that_is_deleted_ends_its_watches(tmp_path: Path) -> None:
    async with review_server(tmp_path) as server:
        await work_on(server)
        call = server.reviews.WatchReview(pb.WatchReviewRequest(subject=SESSION))
        await read_until(call, "released")
        await server.reviews.DeleteReview(pb.DeleteReviewRequest(subject=SESSION))
        controls = []
        while (message := await call.read()) is not grpc.aio.EOF:
            assert isinstance(message, pb.WatchReviewResponse)
            controls.append(message.control.WhichOneof("control"))
        assert controls[-1] == "disconnected"
        listed = await server.reviews.ListReviews(pb.ListReviewsRequest())
        assert list(listed.reviews) == []
