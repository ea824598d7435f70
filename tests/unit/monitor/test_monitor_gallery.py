"""Who is known, by which similarity, and what pictures of people become."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from fakes.inference import TurnableClock
from fakes.monitor import ScriptedFaces, face, picture
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.inference.engine import Engine, EngineSettings
from vidence_server.monitor.app import IMAGES, images_of
from vidence_server.monitor.domain.appearances import Sight, Snapshot
from vidence_server.monitor.gallery import Enroller, FolderGallery, NobodyKnown, load_gallery
from vidence_server.monitor.matching import MatchRule
from vidence_server.monitor.snapshots import BlobSnapshots, NoSnapshots, cut_out
from vidence_server.storage.blob_subjects import BlobSubjects
from vidence_server.storage.blobs import BlobRef, FolderBlobs
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.faces.face import Box, Face, Template
from vidence_server.vision.image import Pixels

RULE = MatchRule(threshold=0.4, margin=0.05)


def template(*vector: float) -> Template:
    values = np.array(vector, np.float32)
    return Template(values / np.float32(np.linalg.norm(values)), "face-embedder", "1")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine({}, EngineSettings(workers=1), SystemClock()) as opened:
        yield opened


@pytest.mark.requirement("R-CA9")
async def test_a_face_belongs_to_the_person_with_the_most_similar_picture() -> None:
    gallery = FolderGallery({"Ada": [template(1, 0), template(0.9, 0.5)], "Bob": [template(0, 1)]}, RULE)
    found = await gallery.identify(template(1, 0.1))
    assert found is not None
    assert found.name == "Ada"
    assert found.similarity == pytest.approx(0.995, abs=0.001)
    assert await gallery.identify(template(-1, 0)) is None
    assert await gallery.identify(template(1, 1.6)) is None  # as like the one as the other
    assert await NobodyKnown().identify(template(1, 0)) is None


class OneFacePerColour(ScriptedFaces):
    """As many faces as the first pixel is bright, in hundreds."""

    async def detect(self, pixels: Pixels) -> Sequence[Face]:
        return [face(100 * (1 + number)) for number in range(round(float(pixels[0, 0, 0]) / 100))]


def write(path: Path, faces: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode(path.suffix, np.full((64, 64, 3), 100 * faces, np.uint8))
    path.write_bytes(content.tobytes())


@pytest.mark.requirement("R-CA9")
async def test_a_folder_of_people_is_learnt_and_what_is_unusable_is_said_without_names(
    tmp_path: Path, engine: Engine
) -> None:
    write(tmp_path / "Ada Example" / "1.jpg", 1)
    write(tmp_path / "Ada Example" / "2.png", 2)
    write(tmp_path / "Ada Example" / "3.png", 0)
    (tmp_path / "Ada Example" / "4.jpg").write_bytes(b"no picture")
    (tmp_path / "Ada Example" / "notes.txt").write_bytes(b"")
    write(tmp_path / "Zoe" / "1.webp", 0)
    (tmp_path / "Empty").mkdir()
    enroller = Enroller(engine, ImageDecoder(ImageLimits()), OneFacePerColour(), 12)
    with capture_logs() as logs:
        gallery = await load_gallery(tmp_path, RULE, enroller)
    known = await gallery.identify(template(0, 1, 0, 0, 0, 0, 0, 0))
    assert known is not None
    assert known.name == "Ada Example"
    assert gallery.threshold == 0.4
    assert [entry["reason"] for entry in logs if "reason" in entry] == [
        "SEVERAL_FACES",
        "NO_FACE",
        "IMAGE_UNSUPPORTED",
        "NO_FACE",
    ]
    assert not {"Ada", "Zoe"} & set(str(logs).replace("'", " ").split())


@pytest.mark.requirement("R-CA9")
async def test_a_folder_that_names_nobody_is_refused(tmp_path: Path, engine: Engine) -> None:
    enroller = Enroller(engine, ImageDecoder(ImageLimits()), OneFacePerColour(), 12)
    write(tmp_path / "long" / ("x" * 129) / "1.jpg", 1)
    write(tmp_path / "faceless" / "Ada" / "1.jpg", 0)
    write(tmp_path / "bytes" / os.fsdecode(b"Ad\xe4") / "1.jpg", 1)
    for folder in ("missing", "long", "faceless", "bytes"):
        with pytest.raises(DomainError) as caught:
            await load_gallery(tmp_path / folder, RULE, enroller)
        assert caught.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.requirement("R-CA9")
async def test_a_snapshot_is_kept_under_the_uuid_of_its_reference(tmp_path: Path, engine: Engine) -> None:
    clock = TurnableClock()
    async with FolderBlobs(tmp_path, clock=clock, ids=IdFactory(clock)) as blobs:
        index, hour = BlobSubjects(tmp_path), timedelta(hours=1)
        store = BlobSnapshots(blobs, index, engine, clock=clock, keep_for=hour, tenant="acme")
        kept = await store.keep(picture(1), Sight(Box(600, 400, 80, 100), 0.9, 640, 480))
        assert kept is not None
        name = kept.image_id.replace("img_", "blb_")
        content = await blobs.get(name, tenant="acme")
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert decoded.shape[:2] == (kept.height_px, kept.width_px)
        assert kept.expire_time == clock.now() + timedelta(hours=1)
        assert await store.keep(picture(1), Sight(Box(900, 0, 10, 10), 0.9, 640, 480)) is None
        assert store.failures == 1


@pytest.mark.requirement("R-CA9", "R-ST8")
def test_snapshots_of_each_tenant_have_a_folder_that_names_nobody() -> None:
    folders = [images_of(tenant) for tenant in ("default", "acme", "globex")]
    assert folders[0] == IMAGES
    assert len(set(folders)) == 3
    assert not any(name in folder for folder in folders for name in ("acme", "globex"))


class FullBlobs:
    """A disk without room."""

    def __init__(self, *, dead: bool = False) -> None:
        self.dead = dead
        """Whether nothing can be removed either."""
        self.deleted: list[str] = []

    async def put(self, data: bytes, *, tenant: str, expire_time: datetime) -> BlobRef:
        raise DomainError(Reason.STORAGE_FULL, "full")

    async def delete(self, blob_id: str) -> None:
        if self.dead:
            raise DomainError(Reason.STORAGE_FAILED, "dead")
        self.deleted.append(blob_id)


@pytest.mark.requirement("R-CA9", "R-OP5")
async def test_a_snapshot_is_found_by_the_person_once_that_is_known(tmp_path: Path, engine: Engine) -> None:
    clock = TurnableClock()
    async with FolderBlobs(tmp_path, clock=clock, ids=IdFactory(clock)) as blobs:
        index, hour = BlobSubjects(tmp_path), timedelta(hours=1)
        store = BlobSnapshots(blobs, index, engine, clock=clock, keep_for=hour, tenant="acme")
        kept = [await store.keep(picture(1), Sight(Box(600, 400, 80, 100), 0.9, 640, 480)) for _ in range(2)]
        assert kept[0] is not None
        assert await index.find("acme", "Ada") == []
        assert await store.name(kept[0], "Ada")
        assert await index.find("acme", "Ada") == [kept[0].image_id.replace("img_", "blb_")]
        assert await index.find("default", "Ada") == []
        clock.advance(hour.total_seconds())
        assert await blobs.sweep() == 3  # two pictures and the entry
        assert await index.find("acme", "Ada") == []


@pytest.mark.requirement("R-CA9", "R-OP5")
@pytest.mark.parametrize("dead", [False, True])
async def test_a_snapshot_that_cannot_be_noted_as_somebodys_is_removed_or_nobody_is_named(
    tmp_path: Path, engine: Engine, dead: bool
) -> None:
    blobs = FullBlobs(dead=dead)
    store = BlobSnapshots(
        blobs,  # type: ignore[arg-type]  # only `put` and `delete` are asked
        BlobSubjects(tmp_path / "gone"),
        engine,
        clock=TurnableClock(),
        keep_for=timedelta(hours=1),
    )
    uuid = "0199c1f0-0000-7000-8000-000000000000"
    with capture_logs() as logs:
        named = await store.name(Snapshot(f"img_{uuid}", "0" * 64, 1, 1, TurnableClock().now()), "Ada")
    assert named is not dead
    assert blobs.deleted == ([] if dead else [f"blb_{uuid}"])
    assert store.failures == 1
    assert "Ada" not in str(logs)


@pytest.mark.requirement("R-CA9")
async def test_without_room_a_snapshot_is_missing_and_nothing_else(engine: Engine) -> None:
    store = BlobSnapshots(
        FullBlobs(),  # type: ignore[arg-type]  # only `put` is asked
        BlobSubjects(Path("none")),
        engine,
        clock=TurnableClock(),
        keep_for=timedelta(hours=1),
    )
    sight = Sight(Box(0, 0, 80, 100), 0.9, 640, 480)
    assert await store.keep(picture(1), sight) is None
    assert await NoSnapshots().keep(picture(1), sight) is None


@pytest.mark.requirement("R-CA9")
def test_large_faces_are_made_smaller() -> None:
    content, width, height = cut_out(np.zeros((2000, 3000, 3), np.uint8), Box(500, 500, 900, 600))
    assert (width, height) == (480, 320)
    assert content.startswith(b"\xff\xd8")
