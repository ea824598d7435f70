"""Two tenants: pictures of sessions and batches, and reviews, of one are not there for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from eventually import PATIENCE_S
from fakes.access import KeyFile, bearer, suite_settings
from fakes.batch import batch_server
from fakes.batch import image as batch_image
from fakes.capture import capture_server
from fakes.capture_scripts import scripted
from fakes.runtime import error_info, status_of
from vidence.batch.v1 import batch_service_pb2 as batches
from vidence.batch.v1 import batch_service_pb2_grpc as batches_grpc
from vidence.capture.v1 import capture_service_pb2 as capture
from vidence.capture.v1 import capture_service_pb2_grpc as capture_grpc
from vidence.capture.v1 import session_pb2
from vidence.event.v1 import event_service_pb2 as events
from vidence.event.v1 import event_service_pb2_grpc as events_grpc
from vidence.job.v1 import job_pb2
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.job.v1 import job_service_pb2_grpc as jobs_grpc
from vidence.review.v1 import review_pb2
from vidence.review.v1 import review_service_pb2 as reviews
from vidence.review.v1 import review_service_pb2_grpc as reviews_grpc
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_server.core.clock import SystemClock
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.access_opening import make_guard
from vidence_server.suite.opening import open_suite

TENANTS = ("acme", "globex")
SUBJECT = "sessions/ses_1"
WORDS = "look at the seal of Ana"


@dataclass(frozen=True)
class Two:
    """Who calls for which tenant."""

    acme: tuple[tuple[str, str], ...]
    globex: tuple[tuple[str, str], ...]
    keys: KeyFile

    @classmethod
    def of(cls, folder: Path) -> Two:
        keys = KeyFile(folder / "keys.json")
        return cls(bearer(keys.key("acme")), bearer(keys.key("globex")), keys)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[AccessGuard]:
        access = suite_settings(self.keys.path.parent, tenants=TENANTS, keys_file=self.keys.path).access
        guard = make_guard(access, SystemClock())
        assert guard is not None
        async with guard:
            yield guard


async def reason_of(call: Awaitable[Any] | grpc.aio.UnaryStreamCall[Any, Any]) -> str:
    """Of the refusal that a call ends with; empty where it is let in."""
    try:
        if isinstance(call, grpc.aio.UnaryStreamCall):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return str(error_info(status_of(error)).reason)
    return ""


@pytest.mark.requirement("R-OP5", "R-ST8", "R-CA5")
async def test_a_captured_picture_is_there_for_its_own_tenant_only(tmp_path: Path) -> None:
    two = Two.of(tmp_path)
    (tmp_path / "data").mkdir()
    async with (
        two.guard() as guard,
        capture_server(tmp_path / "data", tenants=TENANTS, server={"guard": guard}) as server,
    ):
        stub = server.stub
        plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_DOCUMENT_FRONT])
        created = await stub.CreateSession(capture.CreateSessionRequest(plan=plan), metadata=two.acme)
        key = {"session_id": created.session.id, "session_token": created.session_token}
        supervising = stub.WatchSessions(capture.WatchSessionsRequest(), metadata=two.globex)
        session = await captured(stub, key, two)
        image = capture.GetImageRequest(image_id=session.captured[0].image.id)
        pieces = [message async for message in stub.GetImage(image, metadata=two.acme)]
        assert pieces[-1].HasField("image_complete")
        assert await reason_of(stub.GetImage(image, metadata=two.globex)) == "IMAGE_NOT_FOUND"
        # Not by the other tenant's key beside the right token of the session either.
        both = capture.GetImageRequest(image_id=image.image_id, session_token=created.session_token)
        assert await reason_of(stub.GetImage(both, metadata=two.globex)) == "IMAGE_NOT_FOUND"
        listed = await stub.ListSessions(capture.ListSessionsRequest(), metadata=two.globex)
        assert list(listed.sessions) == []
        # Its own session comes next on the stream of all its sessions: nothing of the other stood between.
        own = await stub.CreateSession(capture.CreateSessionRequest(plan=plan), metadata=two.globex)
        seen = await sessions_until(supervising, own.session.id)
        assert seen == {own.session.id}
    paths = [str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*")]
    assert not [path for path in paths if any(name in path for name in TENANTS)]


async def captured(
    stub: capture_grpc.CaptureServiceAsyncStub, key: dict[str, str], two: Two
) -> session_pb2.Session:
    """The session, once its picture is there."""
    get = capture.GetSessionRequest(session_id=key["session_id"])
    for number in range(1, 200):
        frame = capture.Frame(frame_number=number, encoded=scripted(number))
        # A camera has nothing but the token, and may be told that the picture before was enough.
        pushed = stub.PushFrame(capture.PushFrameRequest(frame=frame, **key))
        assert await reason_of(pushed) in {"", "SESSION_ENDED"}
        session = (await stub.GetSession(get, metadata=two.acme)).session
        if session.captured:
            return session
    raise AssertionError("nothing was captured")


async def sessions_until(call: Any, session_id: str) -> set[str]:
    """The sessions that a watch of all told of, up to one."""
    seen: set[str] = set()
    async with asyncio.timeout(PATIENCE_S):
        while session_id not in seen:
            message = await call.read()
            assert message is not grpc.aio.EOF
            for event in message.events:
                for kind in ("snapshot", "changed"):
                    if event.HasField(kind):
                        seen.add(getattr(event, kind).session.id)
    call.cancel()
    return seen


@pytest.mark.requirement("R-OP5", "R-ST8", "R-BA2")
async def test_the_picture_of_a_batch_is_there_for_its_own_tenant_only(tmp_path: Path) -> None:
    two = Two.of(tmp_path)
    (tmp_path / "data").mkdir()
    async with (
        two.guard() as guard,
        batch_server(tmp_path / "data", guard=guard) as server,
        grpc.aio.insecure_channel(server.server.address) as channel,
    ):
        stub = batches_grpc.BatchServiceStub(channel)
        batch = (await stub.CreateBatch(batches.CreateBatchRequest(), metadata=two.acme)).batch
        item = batches.AddBatchItemRequest(batch_id=batch.batch_id, index=0, image=batch_image("secret"))
        await stub.AddBatchItem(item, metadata=two.acme)
        await stub.StartBatch(batches.StartBatchRequest(batch_id=batch.batch_id), metadata=two.acme)
        image = batches.GetBatchItemImageRequest(batch_id=batch.batch_id, index=0)
        pieces = [message async for message in stub.GetBatchItemImage(image, metadata=two.acme)]
        assert b"secret" in b"".join(message.image_chunk.data for message in pieces)
        refused = await reason_of(stub.GetBatchItemImage(image, metadata=two.globex))
        assert refused == "BATCH_NOT_FOUND"
        watch = batches.WatchBatchRequest(batch_id=batch.batch_id)
        assert await reason_of(stub.WatchBatch(watch, metadata=two.globex)) == "BATCH_NOT_FOUND"
        listed = await stub.ListBatches(batches.ListBatchesRequest(), metadata=two.globex)
        assert list(listed.batches) == []
    paths = [str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*")]
    assert not [path for path in paths if any(name in path for name in TENANTS)]


@pytest.mark.requirement("R-OP5", "R-ST8", "R-BA5")
async def test_a_dead_letter_is_seen_and_requeued_by_its_own_tenant_only(tmp_path: Path) -> None:
    two = Two.of(tmp_path)
    (tmp_path / "data").mkdir()
    async with (
        two.guard() as guard,
        batch_server(tmp_path / "data", guard=guard, max_attempts=1) as server,
        grpc.aio.insecure_channel(server.server.address) as channel,
    ):
        stub = jobs_grpc.JobServiceStub(channel)
        asked = job_pb2.ReadDocumentOperation(content=batch_image("flaky one 1").content)
        submit = jobs.SubmitJobRequest(read_document=asked)
        job = (await stub.SubmitJob(submit, metadata=two.acme)).job
        async with asyncio.timeout(PATIENCE_S):
            async for _ in stub.WatchJob(jobs.WatchJobRequest(job_id=job.job_id), metadata=two.acme):
                pass
        listed = jobs.ListDeadLettersRequest()
        (letter,) = (await stub.ListDeadLetters(listed, metadata=two.acme)).dead_letters
        assert not (await stub.ListDeadLetters(listed, metadata=two.globex)).dead_letters
        again = jobs.RequeueDeadLettersRequest(item_ids=[letter.item_id])
        assert (await stub.RequeueDeadLetters(again, metadata=two.globex)).item_count == 0
        assert (await stub.ListDeadLetters(listed, metadata=two.acme)).dead_letters == [letter]
        assert (await stub.RequeueDeadLetters(again, metadata=two.acme)).item_count == 1


@pytest.mark.requirement("R-OP5", "R-ST8", "R-WE5")
async def test_a_review_and_what_is_told_of_it_are_of_one_tenant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = Two.of(tmp_path)
    settings = suite_settings(tmp_path / "data", tenants=TENANTS, keys_file=two.keys.path)
    async with (
        open_suite(settings, ("event", "review")) as suite,
        grpc.aio.insecure_channel(suite.server.address) as channel,
    ):
        await suite.warm_up()
        stub = reviews_grpc.ReviewServiceStub(channel)
        watching = stub.WatchReview(reviews.WatchReviewRequest(subject=SUBJECT), metadata=two.globex)
        add = reviews.AddNoteRequest(subject=SUBJECT, reviewer="Ana", note_id="n-1", text=WORDS)
        await stub.AddNote(add, metadata=two.acme)
        claim = reviews.ClaimReviewRequest(subject=SUBJECT, reviewer="Ana", expected_revision=1)
        await stub.ClaimReview(claim, metadata=two.acme)
        await stub.AttendReview(
            reviews.AttendReviewRequest(subject=SUBJECT, reviewer="Ana", attendance_id="w-1"),
            metadata=two.acme,
        )
        await nothing_there(stub, two)
        # The same name is another review: claimed by nobody, of the first revision.
        own = await stub.SetVerdict(
            reviews.SetVerdictRequest(
                subject=SUBJECT, reviewer="Ben", expected_revision=0, verdict=review_pb2.VERDICT_APPROVED
            ),
            metadata=two.globex,
        )
        assert (own.review.revision, own.review.note_count) == (1, 0)
        assert [one.WhichOneof("payload") for one in await events_of(watching)] == ["decided"]
        await cursors_are_foreign(stub, two)
        assert await told(channel, two.acme, 2) == ["review.noted", "review.claimed"]
        assert await told(channel, two.globex, 1) == ["review.decided"]
        await stub.DeleteReview(reviews.DeleteReviewRequest(subject=SUBJECT), metadata=two.globex)
        kept = await stub.GetReview(reviews.GetReviewRequest(subject=SUBJECT), metadata=two.acme)
        assert [note.text for note in kept.notes] == [WORDS]
    logged = capsys.readouterr()
    assert WORDS not in logged.out + logged.err
    paths = [str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*")]
    assert not [path for path in paths if any(name in path for name in TENANTS)]


async def nothing_there(stub: reviews_grpc.ReviewServiceAsyncStub, two: Two) -> None:
    """For the other tenant there is no review yet."""
    empty = await stub.GetReview(reviews.GetReviewRequest(subject=SUBJECT), metadata=two.globex)
    assert (empty.review.revision, list(empty.notes), list(empty.attendants)) == (0, [], [])
    listed = await stub.ListReviews(reviews.ListReviewsRequest(), metadata=two.globex)
    assert list(listed.reviews) == []
    delete = reviews.DeleteReviewRequest(subject=SUBJECT)
    assert await reason_of(stub.DeleteReview(delete, metadata=two.globex)) == "REVIEW_NOT_FOUND"
    # Neither the claim nor who is there ends by what the other tenant says of its own review.
    await reason_of(
        stub.ReleaseReview(reviews.ReleaseReviewRequest(subject=SUBJECT, reviewer="Ana"), metadata=two.globex)
    )
    await reason_of(
        stub.LeaveReview(
            reviews.LeaveReviewRequest(subject=SUBJECT, attendance_id="w-1"), metadata=two.globex
        )
    )
    own = await stub.GetReview(reviews.GetReviewRequest(subject=SUBJECT), metadata=two.acme)
    assert own.review.claim.reviewer == "Ana"
    assert [one.reviewer for one in own.attendants] == ["Ana"]


async def cursors_are_foreign(stub: reviews_grpc.ReviewServiceAsyncStub, two: Two) -> None:
    """Where one tenant stands in its log is no place in the other's."""
    state = await stub.GetReview(reviews.GetReviewRequest(subject=SUBJECT), metadata=two.acme)
    watch = reviews.WatchReviewRequest(subject=SUBJECT, after_cursor=state.cursor)
    assert await reason_of(stub.WatchReview(watch, metadata=two.globex)) == "CURSOR_FOREIGN"


async def events_of(call: Any) -> Sequence[Any]:
    """Those of the next message that has some."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await call.read()
            assert message is not grpc.aio.EOF
            if message.events:
                return list(message.events)


async def told(channel: grpc.aio.Channel, who: tuple[tuple[str, str], ...], count: int) -> list[str]:
    """The first so many events on a tenant's bus."""
    request = events.SubscribeRequest(position=stream.START_POSITION_EARLIEST)
    call = events_grpc.EventServiceStub(channel).Subscribe(request, metadata=who)
    types: list[str] = []
    while len(types) < count:
        types += [event.type for event in await events_of(call)]
    call.cancel()
    return types
