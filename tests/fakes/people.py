"""The services that hold data of people, each behind a server of its own, and one person's data in all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np

from fakes.batch import BatchServer, FakeReader, batch_server
from fakes.batch import image as batch_image
from fakes.capture import RunningCapture, capture_server
from fakes.capture_scripts import scripted
from fakes.erasure import ErasureServer, erasure_server
from fakes.libraries import LibraryServer, library_server
from fakes.monitor_pictures import keep_picture, monitor_folder
from vidence.capture.v1 import capture_service_pb2 as capture_pb
from vidence.job.v1 import job_pb2, job_service_pb2
from vidence.library.v1 import face_pb2, library_pb2
from vidence.library.v1 import library_service_pb2 as library_pb
from vidence.review.v1 import review_service_pb2 as review_pb
from vidence_server.capture.app import MIGRATIONS as CAPTURE_MIGRATIONS
from vidence_server.capture.snapshots import MonitorSnapshots
from vidence_server.storage.location import StateLocation

WHO, OTHER = "person-4711", "person-0815"


@dataclass(frozen=True)
class Person:
    """What is stored of a person: nobody else has any of it."""

    subject_id: str
    mark: str
    """Is part of everything."""
    seed: int
    """Of the template."""

    def __getattr__(self, kind: str) -> bytes:
        """What stands for the person in one kind of data."""
        if kind not in _KINDS:
            raise AttributeError(kind)
        return f"{self.mark}{kind}".encode()

    @property
    def sent_template(self) -> bytes:
        return np.random.default_rng(self.seed).normal(size=128).astype("<f4").tobytes()

    @property
    def template(self) -> bytes:
        """As it is kept: of length 1."""
        wide = np.frombuffer(self.sent_template, "<f4").astype(np.float64)
        kept: bytes = (wide / np.linalg.norm(wide)).astype("<f4").tobytes()
        return kept

    @property
    def traces(self) -> tuple[bytes, ...]:
        """Bytes that only this person's data have."""
        kinds = (getattr(self, kind) for kind in _KINDS)
        return (*kinds, self.template, self.subject_id.encode())


_SERVICES = ("capture", "batch", "library", "erasure")
_KINDS = ("picture", "seen", "words", "read", "name", "note", "job")
PEOPLE = {WHO: Person(WHO, "markwho", 5), OTHER: Person(OTHER, "markother", 6)}


@dataclass
class House:
    """The services that hold data of people, each behind a server of its own, and what erases."""

    folder: Path
    capture: RunningCapture
    batch: BatchServer
    library: LibraryServer
    doors: AsyncExitStack
    """Holds the library service."""
    office: AsyncExitStack
    """Holds what erases."""
    url: str
    """Of PostgreSQL; empty: SQLite."""
    erasure: ErasureServer = field(init=False)

    async def close_library(self) -> int:
        """The library service goes; gives where it was."""
        port = int(self.library.server.address.rpartition(":")[2])
        await self.doors.aclose()
        return port

    async def open_library(self, port: int) -> None:
        """It comes back."""
        place = self.place("library")
        self.library = await self.doors.enter_async_context(
            library_server(place.folder, location=place, server_settings={"port": port})
        )

    async def replace_office(self, **settings: float) -> None:
        """What erases goes, and another one on the same database takes its place."""
        await self.office.aclose()
        await self.open_office(**settings)

    async def open_office(self, **settings: float) -> None:
        """What erases comes."""
        addresses = {
            "capture": self.capture.running.server.address,
            "batch": self.batch.server.address,
            "library": self.library.server.address,
        }
        place = self.place("erasure")
        self.erasure = await self.office.enter_async_context(erasure_server(place, addresses, **settings))

    def place(self, name: str) -> StateLocation:
        """Where a service keeps its state."""
        return StateLocation(self.folder / name, url=self.url)

    @property
    def marks(self) -> tuple[bytes, ...]:
        """Bytes of the person that may be in no file."""
        return PEOPLE[WHO].traces

    async def fill(self, who: str = WHO) -> tuple[str, str]:
        """Makes one of everything of a person; gives session and batch."""
        person = PEOPLE[who]
        session_id = await self.capture_session(who)
        await self.be_seen(who)
        await self.keep_in_library(who)
        batch_id = await self.read_batch(who)
        submitted = await self.batch.jobs.SubmitJob(
            job_service_pb2.SubmitJobRequest(
                read_document=job_pb2.ReadDocumentOperation(
                    content=batch_image(person.job.decode()).content, subject_id=who
                )
            )
        )
        await self.job_ended(submitted.job.job_id)
        for number, subject in enumerate((f"sessions/{session_id}", f"batches/{batch_id}")):
            note = review_pb.AddNoteRequest(
                subject=subject, reviewer="rita", note_id=f"n{number}", text=person.note.decode()
            )
            await self.erasure.reviews.AddNote(note)
        return session_id, batch_id

    async def capture_session(self, who: str) -> str:
        camera = await self.capture.create("FACE", subject_id=who)
        for number in range(1, 200):
            picture = scripted(number)[:-1] + b', "who": "' + PEOPLE[who].picture + b'"}'
            try:
                await camera.push(picture)
            except grpc.aio.AioRpcError:
                break
        assert (await camera.get()).captured
        return camera.session_id

    async def be_seen(self, who: str = "") -> str:
        """A monitor keeps a picture of somebody, empty: of somebody unknown; gives its id."""
        mark = PEOPLE[who].seen if who else b""
        return await keep_picture(self.place("capture").folder, who, mark=mark)

    async def seen(self, image_id: str) -> bytes:
        """A picture of the monitor as it is given out; empty: it is not there."""
        request = capture_pb.GetImageRequest(image_id=image_id)
        try:
            messages = [message async for message in self.capture.stub.GetImage(request)]
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return b""
        return b"".join(message.image_chunk.data for message in messages)

    async def keep_in_library(self, who: str) -> None:
        person = PEOPLE[who]
        face = face_pb2.FaceTemplate(model_name="m", model_version="1", data=person.sent_template)
        words = person.words.decode()
        await self.library.stub.EnrollFace(
            library_pb.EnrollFaceRequest(library_id="people", subject_id=who, template=face)
        )
        document = library_pb2.Document(
            document_id=f"d-{who == WHO}",
            text=f"the words {words} and {words}tail",
            metadata={"subject_id": library_pb2.MetadataValue(string_value=who)},
        )
        request = library_pb.CreateDocumentRequest(library_id="people", document=document)
        await self.library.stub.CreateDocument(request)
        # What was replaced is to go too.
        document.text += f" {words}again"
        await self.library.stub.UpdateDocument(
            library_pb.UpdateDocumentRequest(library_id="people", document=document)
        )

    async def read_batch(self, *whose: str) -> str:
        images = []
        for number, who in enumerate(whose):
            person = PEOPLE[who]
            image = batch_image(f"{person.read.decode()} {number}", f"{person.name.decode()}{number}.jpg")
            image.subject_id = who
            images.append(image)
        batch = await self.batch.submit(*images)
        await self.batch.ended(batch.batch_id)
        return batch.batch_id

    async def job_ended(self, job_id: str) -> None:
        watching = self.batch.jobs.WatchJob(job_service_pb2.WatchJobRequest(job_id=job_id))
        assert [message async for message in watching]


@asynccontextmanager
async def house(
    folder: Path, url: str = "", *, reader: FakeReader | None = None, **settings: float
) -> AsyncIterator[House]:
    """All services on SQLite files in this folder, or, but for images, in the database with this URL."""
    places = {name: StateLocation(folder / name, url=url) for name in _SERVICES}
    for place in places.values():
        place.folder.mkdir()
    database = places["capture"].database("capture", migrations=CAPTURE_MIGRATIONS)
    async with AsyncExitStack() as stack:
        watched = MonitorSnapshots({"default": monitor_folder(places["capture"].folder)})
        capture = await stack.enter_async_context(
            capture_server(places["capture"].folder, database=database, snapshots=watched)
        )
        batch = await stack.enter_async_context(batch_server(places["batch"], reader))
        doors = await stack.enter_async_context(AsyncExitStack())
        library = await doors.enter_async_context(
            library_server(places["library"].folder, location=places["library"])
        )
        await library.stub.CreateLibrary(library_pb.CreateLibraryRequest(library_id="people"))
        office = await stack.enter_async_context(AsyncExitStack())
        made = House(folder, capture, batch, library, doors, office, url)
        await made.open_office(**settings)
        yield made
