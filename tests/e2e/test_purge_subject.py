"""Everything of a person goes, in all services, from their files too, and a receipt says so."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest

from eventually import eventually
from fakes.batch import BatchServer, FakeReader, batch_server
from fakes.batch import image as batch_image
from fakes.capture import RunningCapture, capture_server, scripted
from fakes.erasure import ErasureServer, counts, erasure_server, files_with, left
from fakes.libraries import LibraryServer, library_server
from fakes.library_wire import reason_of
from vidence.batch.v1 import batch_service_pb2 as batch_pb
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence.job.v1 import job_pb2, job_service_pb2
from vidence.library.v1 import face_pb2, library_pb2
from vidence.library.v1 import library_service_pb2 as library_pb
from vidence.review.v1 import review_service_pb2 as review_pb
from vidence_client.receipts import parse_receipt

pytestmark = [pytest.mark.requirement("R-OP5")]
WHO, OTHER = "person-4711", "person-0815"
PICTURE, WORDS, READ = b"MARKPICTURE", b"markwords", b"MARKREAD"
NAME, NOTE, JOB = b"MARKFILENAME", b"MARKNOTE", b"MARKJOB"
COMPLETE, PARTIAL = erasure.PURGE_STATE_COMPLETE, erasure.PURGE_STATE_PARTIAL


@dataclass
class House:
    """The services that hold data of people, each behind a server of its own, and what erases."""

    folder: Path
    capture: RunningCapture
    batch: BatchServer
    library: LibraryServer
    erasure: ErasureServer
    doors: AsyncExitStack
    """Holds the library service."""
    template: bytes = b""

    async def close_library(self) -> int:
        """The library service goes; gives where it was."""
        port = int(self.library.server.address.rpartition(":")[2])
        await self.doors.aclose()
        return port

    async def open_library(self, port: int) -> None:
        """It comes back."""
        self.library = await self.doors.enter_async_context(
            library_server(self.folder / "library", server_settings={"port": port})
        )

    @property
    def marks(self) -> tuple[bytes, ...]:
        """Bytes of the person that may be in no file."""
        return (PICTURE, WORDS, READ, NAME, NOTE, JOB, self.template, WHO.encode())

    async def fill(self, who: str = WHO) -> tuple[str, str]:
        """Makes one of everything of a person; gives session and batch."""
        session_id = await self.capture_session(who)
        await self.keep_in_library(who)
        batch_id = await self.read_batch(who)
        submitted = await self.batch.jobs.SubmitJob(
            job_service_pb2.SubmitJobRequest(
                read_document=job_pb2.ReadDocumentOperation(
                    content=batch_image(JOB.decode()).content, subject_id=who
                )
            )
        )
        await self.job_ended(submitted.job.job_id)
        for number, subject in enumerate((f"sessions/{session_id}", f"batches/{batch_id}")):
            note = review_pb.AddNoteRequest(
                subject=subject, reviewer="rita", note_id=f"n{number}", text=NOTE.decode()
            )
            await self.erasure.reviews.AddNote(note)
        return session_id, batch_id

    async def capture_session(self, who: str) -> str:
        camera = await self.capture.create("FACE", subject_id=who)
        for number in range(1, 200):
            picture = scripted(number)[:-1] + b', "who": "' + PICTURE + b'"}'
            try:
                await camera.push(picture)
            except grpc.aio.AioRpcError:
                break
        assert (await camera.get()).captured
        return camera.session_id

    async def keep_in_library(self, who: str) -> None:
        sent = np.random.default_rng(5).normal(size=128).astype("<f4")
        wide = sent.astype(np.float64)
        self.template = (wide / np.linalg.norm(wide)).astype("<f4").tobytes()
        face = face_pb2.FaceTemplate(model_name="m", model_version="1", data=sent.tobytes())
        await self.library.stub.EnrollFace(
            library_pb.EnrollFaceRequest(library_id="people", subject_id=who, template=face)
        )
        document = library_pb2.Document(
            document_id=f"d-{who == WHO}",
            text=f"the words {WORDS.decode()} and {WORDS.decode()}tail",
            metadata={"subject_id": library_pb2.MetadataValue(string_value=who)},
        )
        request = library_pb.CreateDocumentRequest(library_id="people", document=document)
        await self.library.stub.CreateDocument(request)
        # What was replaced is to go too.
        document.text += f" {WORDS.decode()}again"
        await self.library.stub.UpdateDocument(
            library_pb.UpdateDocumentRequest(library_id="people", document=document)
        )

    async def read_batch(self, *whose: str) -> str:
        images = []
        for number, who in enumerate(whose):
            image = batch_image(f"{READ.decode()} {number}", f"{NAME.decode()}{number}.jpg")
            image.subject_id = who
            images.append(image)
        batch = await self.batch.submit(*images)
        await self.batch.ended(batch.batch_id)
        return batch.batch_id

    async def job_ended(self, job_id: str) -> None:
        watching = self.batch.jobs.WatchJob(job_service_pb2.WatchJobRequest(job_id=job_id))
        assert [message async for message in watching]


@asynccontextmanager
async def house(folder: Path, *, reader: FakeReader | None = None, **settings: float) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        places = {name: folder / name for name in ("capture", "batch", "library", "erasure")}
        for place in places.values():
            place.mkdir()
        capture = await stack.enter_async_context(capture_server(places["capture"]))
        batch = await stack.enter_async_context(batch_server(places["batch"], reader))
        doors = await stack.enter_async_context(AsyncExitStack())
        library = await doors.enter_async_context(library_server(places["library"]))
        await library.stub.CreateLibrary(library_pb.CreateLibraryRequest(library_id="people"))
        addresses = {
            "capture": capture.running.server.address,
            "batch": batch.server.address,
            "library": library.server.address,
        }
        erasing = await stack.enter_async_context(erasure_server(places["erasure"], addresses, **settings))
        yield House(folder, capture, batch, library, erasing, doors)


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
        assert {one["what"] for one in receipt.members["beyond_reach"]} >= {"backups", "bus", "postgresql"}
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
        others = tuple(mark for mark in all_of.marks if mark not in {all_of.template, WORDS, WHO.encode()})
        assert files_with(tmp_path, *others) == []
        assert files_with(tmp_path / "library", all_of.template)
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
        assert kept.file_name == f"{NAME.decode()}1.jpg"
        assert kept.document.fields[0].value == f"{READ.decode()} 1"
        assert files_with(tmp_path, f"{READ.decode()} 0".encode(), f"{NAME.decode()}0".encode()) == []
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
