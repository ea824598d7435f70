"""Everything of a person goes, in all services, from their files too, and a receipt says so."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import grpc
import pytest

from eventually import PATIENCE_S, eventually
from fakes.batch import FakeReader
from fakes.batch import image as batch_image
from fakes.capture import RunningCapture
from fakes.erasure import counts, files_with, left
from fakes.library_wire import reason_of
from fakes.people import OTHER, PEOPLE, WHO, House, house
from vidence.batch.v1 import batch_service_pb2 as batch_pb
from vidence.capture.v1 import capture_service_pb2 as capture_pb
from vidence.capture.v1 import session_pb2
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence.stream.v1 import stream_control_pb2 as stream_pb2
from vidence_client.receipts import parse_receipt
from vidence_server.core.erasure import Erasure

pytestmark = [pytest.mark.requirement("R-OP5")]
COMPLETE, PARTIAL = erasure.PURGE_STATE_COMPLETE, erasure.PURGE_STATE_PARTIAL


async def test_nothing_of_a_person_is_left_in_any_file(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill()
        assert [mark for mark in all_of.marks if not files_with(tmp_path, mark)] == []
        counted = await all_of.erasure.purge(WHO, dry_run=True)
        assert counted.state == erasure.PURGE_STATE_DRY_RUN
        found = {kind: numbers[0] for kind, numbers in counts(counted).items()}
        assert found == {
            "capture_session": 1,
            "capture_image": 2,
            "monitor_image": 1,
            "batch": 1,
            "batch_item": 1,
            "job": 1,
            "face_template": 1,
            "document": 1,
            "review": 2,
            "review_note": 2,
        }
        purged = await all_of.erasure.purge(WHO, request_id="ticket-7")
        assert (purged.state, left(purged)) == (COMPLETE, {})
        assert counts(purged) == {kind: (number, number, 0) for kind, number in found.items()}
        assert files_with(tmp_path, *all_of.marks) == []
        await eventually(lambda: "subject.purged" in [event.type for event in all_of.erasure.bus.log])
        told = next(event for event in all_of.erasure.bus.log if event.type == "subject.purged")
        assert told.subject == f"purges/{purged.purge_id}"
        assert WHO.encode() not in told.encoded
        assert purged.subject_digest.encode() not in told.encoded


async def test_what_was_told_of_a_persons_sessions_is_told_to_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill(WHO)
        other = await all_of.capture_session(OTHER)
        before = await sessions_told(all_of.capture, other)
        assert {session.plan.subject_id for session in before} == {WHO, OTHER}
        await all_of.erasure.purge(WHO)
        newest = await all_of.capture_session(OTHER)
        after = await sessions_told(all_of.capture, newest)
        assert {session.plan.subject_id for session in after} == {OTHER}


async def sessions_told(server: RunningCapture, last: str) -> list[session_pb2.Session]:
    """What who begins at the earliest entry is told of all sessions, up to one."""
    earliest = stream_pb2.START_POSITION_EARLIEST
    call = server.stub.WatchSessions(capture_pb.WatchSessionsRequest(position=earliest))
    told: list[session_pb2.Session] = []
    async with asyncio.timeout(PATIENCE_S):
        while not told or told[-1].id != last:
            message = await call.read()
            assert isinstance(message, capture_pb.WatchSessionsResponse)
            told += [event.changed.session for event in message.events if event.HasField("changed")]
    call.cancel()
    return told


async def test_somebody_else_keeps_everything(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill(OTHER)
        before = await all_of.erasure.purge(OTHER, dry_run=True)
        purged = await all_of.erasure.purge(WHO)
        assert (purged.state, counts(purged)) == (COMPLETE, {})
        assert counts(await all_of.erasure.purge(OTHER, dry_run=True)) == counts(before)


async def test_the_receipt_verifies_and_a_changed_one_does_not(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill()
        purged = await all_of.erasure.purge(WHO, request_id="ticket-7")
        receipt = parse_receipt(purged.receipt)
        assert receipt.whole
        assert receipt.complete
        assert receipt.is_of("default", WHO)
        assert not receipt.is_of("default", OTHER)
        assert not receipt.is_of("elsewhere", WHO)
        assert (receipt.hash, receipt.purge_id) == (purged.receipt_hash, purged.purge_id)
        assert WHO not in purged.receipt
        beyond = {one["what"]: one["why"] for one in receipt.members["beyond_reach"]}
        assert beyond.keys() >= {"backups", "bus", "postgresql", "monitor_names"}
        assert "did not recognise" in beyond["monitor_snapshots"]
        flipped = 0
        for place in random.Random(3).sample(range(len(purged.receipt)), 200):
            text = purged.receipt[:place] + chr(ord(purged.receipt[place]) ^ 1) + purged.receipt[place + 1 :]
            try:
                assert not parse_receipt(text).whole
            except ValueError:
                flipped += 1  # no receipt at all
        assert flipped < 200
        kept = await all_of.erasure.get(purge_id=purged.purge_id)
        assert kept == purged
        assert await all_of.erasure.get(subject_id=WHO) == purged


async def test_a_second_purge_finds_nothing_and_the_same_request_gives_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill()
        first = await all_of.erasure.purge(WHO, request_id="ticket-7")
        assert await all_of.erasure.purge(WHO, request_id="ticket-7") == first
        second = await all_of.erasure.purge(WHO, request_id="ticket-8")
        assert second.purge_id != first.purge_id
        assert (second.state, counts(second)) == (COMPLETE, {})
        await all_of.keep_in_library(WHO)  # somebody comes back
        third = await all_of.erasure.purge(WHO)
        assert counts(third) == {"face_template": (1, 1, 0), "document": (1, 1, 0)}


async def test_a_service_that_is_away_leaves_it_partial_and_a_repetition_completes_it(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        await all_of.fill()
        port = await all_of.close_library()
        first = await all_of.erasure.purge(WHO, request_id="ticket-7")
        assert (first.state, left(first)) == (PARTIAL, {"library": "NOT_READY"})
        receipt = parse_receipt(first.receipt)
        assert receipt.whole
        assert not receipt.complete
        person = PEOPLE[WHO]
        in_library = {person.template, person.words, WHO.encode()}
        assert files_with(tmp_path, *(mark for mark in all_of.marks if mark not in in_library)) == []
        assert files_with(tmp_path / "library", person.template)
        await all_of.open_library(port)
        again = await all_of.erasure.purge(WHO)  # whichever request: it goes on
        assert (again.purge_id, again.state, left(again)) == (first.purge_id, COMPLETE, {})
        assert again.attempt_count == 2
        assert counts(again)["face_template"] == (1, 1, 0)
        assert counts(again)["capture_image"] == (2, 2, 0)  # of the first attempt
        assert files_with(tmp_path, *all_of.marks) == []


async def test_a_batch_of_several_people_loses_the_items_of_one(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        batch_id = await all_of.read_batch(WHO, OTHER)
        purged = await all_of.erasure.purge(WHO)
        assert counts(purged) == {"batch_item": (1, 1, 0)}
        listed = await all_of.batch.batches.ListBatchItems(batch_pb.ListBatchItemsRequest(batch_id=batch_id))
        gone, kept = listed.items
        assert (gone.file_name, gone.sha256, gone.HasField("document")) == ("", "", False)
        other = PEOPLE[OTHER]
        assert kept.file_name == f"{other.name.decode()}1.jpg"
        assert kept.document.fields[0].value == f"{other.read.decode()} 1"
        assert files_with(tmp_path, PEOPLE[WHO].read, PEOPLE[WHO].name) == []
        assert (await all_of.batch.ended(batch_id)).batch_id == batch_id  # whoever watches it is told its end


async def test_a_running_batch_of_several_people_is_erased_once_it_ended(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.gate.clear()
    async with house(tmp_path, reader=reader, retry_period_s=0.2) as all_of:
        mine, other = batch_image("one"), batch_image("two")
        mine.subject_id, other.subject_id = WHO, OTHER
        batch = await all_of.batch.submit(mine, other)
        first = await all_of.erasure.purge(WHO)
        assert (first.state, left(first)) == (PARTIAL, {"batch": "BUSY"})
        assert counts(first) == {"batch_item": (1, 0, 1)}
        reader.gate.set()
        await all_of.batch.ended(batch.batch_id)
        purges: list[erasure.Purge] = []
        while not purges or purges[-1].state != COMPLETE:  # it goes on by itself
            purges.append(await all_of.erasure.get(purge_id=first.purge_id))
        assert counts(purges[-1]) == {"batch_item": (1, 1, 0)}


async def test_a_live_session_is_cancelled(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        camera = await all_of.capture.create("FACE", subject_id=WHO)
        await camera.push()
        purged = await all_of.erasure.purge(WHO)
        assert counts(purged) == {"capture_session": (1, 1, 0)}
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await camera.push()
        assert reason_of(refused.value) == "SESSION_NOT_FOUND"


async def test_faces_that_a_monitor_recognised_go_and_no_others(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        mine = [await all_of.be_seen(WHO), await all_of.be_seen(WHO)]
        others = [await all_of.be_seen(OTHER), await all_of.be_seen()]
        assert all([await all_of.seen(image_id) for image_id in (*mine, *others)])
        counted = await all_of.erasure.purge(WHO, dry_run=True)
        assert counts(counted) == {"monitor_image": (2, 0, 0)}
        assert all([await all_of.seen(image_id) for image_id in mine])
        purged = await all_of.erasure.purge(WHO)
        assert (purged.state, counts(purged)) == (COMPLETE, {"monitor_image": (2, 2, 0)})
        assert not any([await all_of.seen(image_id) for image_id in mine])
        assert all([await all_of.seen(image_id) for image_id in others])
        assert files_with(tmp_path, PEOPLE[WHO].seen, WHO.encode()) == []
        assert counts(await all_of.erasure.purge(WHO)) == {}
        assert counts(await all_of.erasure.purge(OTHER, dry_run=True)) == {"monitor_image": (1, 0, 0)}


async def test_a_person_who_is_recognised_while_the_library_still_knows_them_is_found_at_the_end(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, retry_period_s=0.2) as all_of:
        late = LateSight(all_of)
        all_of.erasure.holders["batch"] = late
        first = await all_of.erasure.purge(WHO)
        assert (first.state, left(first)) == (PARTIAL, {"capture": "BUSY"})
        purge = first
        while purge.state != COMPLETE:  # it goes on by itself
            purge = await all_of.erasure.get(purge_id=first.purge_id)
        assert counts(purge) == {"monitor_image": (1, 1, 0)}
        assert not await all_of.seen(late.image_id)


class LateSight:
    """In the place of a service that is asked after capture: a monitor recognises the person meanwhile."""

    def __init__(self, all_of: House) -> None:
        self._house = all_of
        self.image_id = ""

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        if not dry_run and not self.image_id:
            self.image_id = await self._house.be_seen(subject_id)
        return Erasure()


async def test_results_that_are_filed_name_their_subject(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        image = batch_image("some")
        image.subject_id = WHO
        batch = await all_of.batch.submit(image, library_id="mine")
        await all_of.batch.ended(batch.batch_id)
        (filed,) = all_of.batch.shelf.properties.values()
        assert filed["subject_id"] == WHO


async def test_a_purge_that_nobody_made_is_not_found(tmp_path: Path) -> None:
    async with house(tmp_path) as all_of:
        for by in ({"purge_id": "pur_1"}, {"subject_id": WHO}):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await all_of.erasure.get(**by)
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            assert reason_of(refused.value) == "PURGE_NOT_FOUND"
