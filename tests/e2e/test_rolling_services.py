"""Every other service is replaced under load behind Envoy: what is watched arrives, what is called is told.

That of reviews runs with `make test`; those that load models take a minute each: `make test-soak`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from e2e.rolled import LIMIT_S, PATIENT, Record, Rolled, door_to, restart, running
from eventually import eventually
from vidence.batch.v1 import batch_pb2
from vidence.capture.v1 import session_pb2
from vidence.stream.v1 import stream_control_pb2 as stream
from vidence_client import Client, VidenceError
from vidence_client.capture import SessionKey, make_frame

Answered = Callable[[Client], Awaitable[object]]
SUBJECT = "sessions/ses_rolled"
PASSING = {"NOT_READY", "DRAINING", "STREAM_DRAINING", "UNAVAILABLE"}


@contextmanager
def rolled(name: str, folder: Path, *, asks: str, **settings: str) -> Iterator[tuple[Rolled, str]]:
    """A service behind Envoy, and where Envoy is."""
    with (
        running([Rolled(name, folder / name, **settings)]) as services,
        door_to(services, folder, asks=asks) as door,
    ):
        yield services[name], f"127.0.0.1:{door.port}"


@asynccontextmanager
async def calling(address: str, ask: Answered) -> AsyncIterator[list[object]]:
    """Calls one after another meanwhile, once more at the end; every one of them has to be answered."""
    answers: list[object] = []
    stop = asyncio.Event()

    async def call() -> None:
        async with Client(address, retry=PATIENT) as client:
            while not stop.is_set():
                answers.append(await ask(client))
            answers.append(await ask(client))

    async with asyncio.TaskGroup() as group:
        group.create_task(call())
        yield answers
        stop.set()


@pytest.mark.requirement("R-ST3", "R-ST4", "R-WE5")
@pytest.mark.timeout(300)
async def test_a_review_loses_no_change_while_its_service_is_replaced(tmp_path: Path) -> None:
    record, written = Record(), list[str]()
    with rolled("review", tmp_path, asks="/v1/reviews") as (service, address):
        async with Client(address, retry=PATIENT) as reader, asyncio.TaskGroup() as group:

            async def note(client: Client) -> object:
                name = f"n-{len(written):04d}"
                # The same id again is the same note: a repeated call writes nothing twice.
                await client.reviews.note(SUBJECT, "Ana", name, note_id=name, timeout=LIMIT_S)
                written.append(name)
                await asyncio.sleep(0.1)  # a review has a limit of notes
                return name

            watching = group.create_task(record.follow(reader.reviews.watch(SUBJECT)))
            async with calling(address, note) as answers:
                await eventually(lambda: len(answers) > 2, within_s=LIMIT_S)
                await restart([service], 1)
            await eventually(lambda: len(record.events) >= len(written), within_s=LIMIT_S)
            watching.cancel()
    assert [event.note_added.note.note_id for event in record.events] == written
    assert len(record.connections) > 1
    assert record.gaps == []
    assert record.violations() == []


@pytest.mark.soak
@pytest.mark.requirement("R-BA2", "R-ST4")
@pytest.mark.timeout(600)
async def test_a_batch_loses_and_repeats_nothing_while_its_service_is_replaced(
    tmp_path: Path, passport: bytes
) -> None:
    record = Record()
    # The second is cut: its header is fine, so that it is taken, and fails when it is read.
    files = [passport, passport[: len(passport) // 2], *[passport] * 6]
    with rolled("batch", tmp_path, asks="/v1/batches") as (service, address):
        async with Client(address, retry=PATIENT) as client, asyncio.TaskGroup() as group:
            batch = await client.batches.create(timeout=LIMIT_S)
            for index, file in enumerate(files):
                await client.batches.add(batch.batch_id, index, file, timeout=LIMIT_S)
            await client.batches.start(batch.batch_id, timeout=LIMIT_S)
            watching = group.create_task(record.follow(client.batches.watch(batch.batch_id)))
            async with calling(
                address, lambda one: one.batches.get(batch.batch_id, timeout=LIMIT_S)
            ) as answers:
                await eventually(lambda: any(e.HasField("result") for e in record.events), within_s=LIMIT_S)
                await restart([service], 1)
                async with asyncio.timeout(3 * LIMIT_S):
                    await watching
    assert answers[-1].state == batch_pb2.BATCH_STATE_PARTIAL  # type: ignore[attr-defined]  # a batch
    ends = [event for event in record.events if event.HasField("result") or event.HasField("error")]
    indexes = sorted((e.result if e.HasField("result") else e.error).index for e in ends)
    assert indexes == list(range(len(files)))
    assert record.events[-1].complete.statistics.failed == 1
    assert record.lives() == [list(range(1, len(record.events) + 1))]
    assert len(record.connections) > 1
    assert record.gaps == []
    assert record.violations() == []


async def push_frames(
    client: Client, key: SessionKey, picture: bytes, watching: asyncio.Task[None], refused: list[str]
) -> None:
    """Shows a camera a picture until who watches the session is done; notes why frames were refused."""
    number = 0
    while not watching.done():
        number += 1
        try:
            # No two frames of a camera are alike, and two that are alike are refused.
            await client.capture.push_frame(
                key, make_frame(picture + number.to_bytes(4, "big"), number=number)
            )
        except VidenceError as error:
            # A camera has a newer frame by then.
            refused.append(error.reason or error.code.name)
            await asyncio.sleep(0.2)


@pytest.mark.soak
@pytest.mark.requirement("R-CA1", "R-CA10", "R-ST4")
@pytest.mark.timeout(900)
async def test_sessions_end_and_every_loss_is_told_while_their_service_is_replaced(
    tmp_path: Path, passport: bytes
) -> None:
    """Logs of sessions are in memory: what a watcher misses is named by a gap, and its session goes on."""
    all_sessions, records, ended = Record(in_memory=True), list[Record](), list[str]()
    refused: list[str] = []
    with rolled("capture", tmp_path, asks="/v1/sessions:statistics") as (service, address):

        async def one_session(client: Client) -> object:
            plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_DOCUMENT_FRONT])
            created = await client.capture.create_session(plan, timeout=LIMIT_S)
            key = SessionKey(created.session.id, created.session_token)
            record = Record(in_memory=True)
            records.append(record)
            watch = client.capture.watch_session(key, on_gap=lambda _gap: None)
            watching = asyncio.create_task(record.follow(watch))
            await push_frames(client, key, passport, watching, refused)
            await watching
            session = await client.capture.get_session(created.session.id, timeout=LIMIT_S)
            ended.append(session.id)
            return session

        async with Client(address, retry=PATIENT) as reader, asyncio.TaskGroup() as group:
            watch = reader.capture.watch_sessions(on_gap=lambda _gap: None)
            watching = group.create_task(all_sessions.follow(watch))
            async with calling(address, one_session) as sessions:
                await eventually(lambda: bool(records) and bool(records[-1].events), within_s=LIMIT_S)
                await restart([service], 1)
            # The last one began and ended after the restart: who watches all saw all of it.
            last = ended[-1]
            await eventually(lambda: _ends(all_sessions, last), within_s=LIMIT_S)
            watching.cancel()
    assert {session.state for session in sessions} == {session_pb2.SESSION_STATE_COMPLETED}  # type: ignore[attr-defined]  # sessions
    for record in records:
        assert record.events[-1].HasField("session_end")
        for life in record.lives():
            assert life == list(range(life[0], life[0] + len(life)))
        assert len(record.lives()) <= 1 + len(record.gaps)
        assert {gap.reason for gap in record.gaps} <= {stream.GAP_REASON_EPHEMERAL}
        assert record.violations() == []
    assert any(record.gaps for record in records)
    assert all_sessions.violations() == []
    assert set(refused) <= PASSING | {"SESSION_ENDED"}


def _ends(record: Record, session_id: str) -> bool:
    return any(
        event.changed.session.id == session_id
        and event.changed.session.state == session_pb2.SESSION_STATE_COMPLETED
        for event in record.events
    )


@pytest.mark.soak
@pytest.mark.requirement("R-EX1", "R-FA1", "R-OP2")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["extraction", "face"])
async def test_every_picture_is_answered_alike_while_its_service_is_replaced(
    name: str, tmp_path: Path, passport: bytes
) -> None:
    async def read(client: Client) -> object:
        document = (await client.extraction.read(passport, timeout=LIMIT_S)).document
        return {field.key: field.value for field in document.fields}

    async def detect(client: Client) -> object:
        # The sample's portrait is a drawing: that there is no face is the answer.
        return {"faces": len((await client.faces.detect(passport, timeout=LIMIT_S)).faces)}

    asks = {"extraction": "/v1/documentTypes", "face": "/v1/faces/thresholds"}
    with rolled(name, tmp_path, asks=asks[name]) as (service, address):
        async with calling(address, read if name == "extraction" else detect) as answers:
            await eventually(lambda: bool(answers), within_s=LIMIT_S)
            before = len(answers)
            await restart([service], 1)
    assert answers[0]
    assert len(answers) > before
    assert all(answer == answers[0] for answer in answers)
