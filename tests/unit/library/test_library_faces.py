"""Faces: found by the closest template, never across models, and gone without a trace when deleted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from eventually import eventually
from fakes.libraries import TENANT, OpenLibrary, made, open_library
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import draft
from vidence_server.library.domain.faces import Face, FaceModel, FaceTemplate
from vidence_server.library.keeping import KeepPolicy
from vidence_server.library.tables import FACES
from vidence_server.storage import erasure

pytestmark = pytest.mark.requirement("R-LI6")
MODEL = FaceModel("sface", "1")
RANDOM = np.random.default_rng(3)


def template(values: object = None, model: FaceModel = MODEL) -> FaceTemplate:
    numbers = RANDOM.normal(size=128) if values is None else np.asarray(values)
    return FaceTemplate(model, np.ascontiguousarray(numbers, "<f4").tobytes())


async def enroll(opened: OpenLibrary, subject: str, face: FaceTemplate, face_id: str = "") -> Face:
    kept, _ = await opened.service.faces.enroll(TENANT, "people", subject, face_id, face)
    return kept


async def find(opened: OpenLibrary, face: FaceTemplate, k: int = 5, least: float | None = None) -> list[str]:
    found = await opened.service.faces.search(TENANT, "people", face, k=k, minimum_score=least)
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    return [hit.subject_id for hit in found.hits]


async def test_the_closest_subjects_are_found_each_once(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        axes = np.eye(4)
        for number in range(12):  # ten templates of one subject are closer than those of the others
            await enroll(opened, "anna", template(axes[0] + 0.01 * number * axes[1]))
        await enroll(opened, "ben", template(axes[0] + 0.5 * axes[1]))
        await enroll(opened, "carl", template(axes[2]))
        probe = template(axes[0])
        assert await find(opened, probe, k=3) == ["anna", "ben", "carl"]
        assert await find(opened, probe, k=1) == ["anna"]
        assert await find(opened, probe, k=3, least=0.5) == ["anna", "ben"]
        found = await opened.service.faces.search(TENANT, "people", probe, k=1, minimum_score=None)
        assert (found.compared_count, found.other_model_count) == (14, 0)
        assert found.hits[0].score == pytest.approx(1.0)


@pytest.mark.parametrize("other", [FaceModel("sface", "2"), FaceModel("arcface", "1")])
async def test_templates_of_different_models_are_never_compared(tmp_path: Path, other: FaceModel) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        values = RANDOM.normal(size=128)
        await enroll(opened, "anna", template(values))
        found = await opened.service.faces.search(
            TENANT, "people", template(values, other), k=5, minimum_score=None
        )
        assert (list(found.hits), found.compared_count, found.other_model_count) == ([], 0, 1)
        await enroll(opened, "ben", template(values, other))
        assert await find(opened, template(values, other)) == ["ben"]
        assert await find(opened, template(values)) == ["anna"]


async def test_the_same_template_is_kept_once_and_another_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        values = RANDOM.normal(size=128)
        first, repeated = await opened.service.faces.enroll(TENANT, "people", "anna", "f1", template(values))
        assert not repeated
        again, repeated = await opened.service.faces.enroll(TENANT, "people", "anna", "f1", template(values))
        assert repeated
        assert again == first
        for subject, face in (("ben", template(values)), ("anna", template())):
            with pytest.raises(DomainError) as refused:
                await enroll(opened, subject, face, "f1")
            assert refused.value.reason is Reason.FACE_EXISTS
        assert (await opened.service.libraries.get(TENANT, "people")).face_count == 1
        await eventually(lambda: opened.told == ["library.created", "face.enrolled"])


async def test_faces_are_listed_by_subject_in_pages(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        for number in range(6):
            await enroll(opened, f"s{number % 2}", template(), f"f{number}")
        faces = opened.service.faces
        page, token = await faces.page(TENANT, "people", subject_id="s1", page_size=2, page_token="")
        assert [face.face_id for face in page] == ["f1", "f3"]
        page, token = await faces.page(TENANT, "people", subject_id="s1", page_size=2, page_token=token)
        assert ([face.face_id for face in page], token) == (["f5"], "")


async def test_templates_that_have_no_direction_are_refused(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        for values in (np.zeros(128), np.full(128, np.inf)):
            with pytest.raises(DomainError) as refused:
                await enroll(opened, "anna", template(values))
            assert refused.value.reason is Reason.REQUEST_INVALID


async def test_pictures_need_a_face_model(tmp_path: Path) -> None:
    class OneFace:
        async def template(self, image: bytes) -> FaceTemplate:
            return template(np.frombuffer(image, np.uint8).astype(float))

    async with open_library(tmp_path) as opened:
        with pytest.raises(DomainError) as refused:
            await opened.service.faces.template_of(b"\x01\x02")
        assert refused.value.reason is Reason.EMBEDDING_UNAVAILABLE
    async with open_library(tmp_path, face_embedder=OneFace()) as opened:
        assert (await opened.service.faces.template_of(b"\x01\x02")).model == MODEL


def files_of(path: Path) -> bytes:
    """Everything that the database has on the disk."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def traces(content: bytes, data: bytes) -> int:
    """How many pieces of a template are found, of four numbers each."""
    return sum(data[start : start + 16] in content for start in range(0, len(data) - 15, 16))


async def test_a_deleted_subject_leaves_no_template_in_any_file(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        kept: dict[str, list[bytes]] = {}
        for number in range(300):
            subject = f"s{number % 30}"
            # Of several lengths, so that pages are filled, split and freed in every way.
            face = template(
                RANDOM.normal(size=(128, 512, 8, 1100)[number % 4]), FaceModel("m", str(number % 4))
            )
            normal = np.frombuffer(face.data, "<f4").astype(float)
            kept.setdefault(subject, []).append((normal / np.linalg.norm(normal)).astype("<f4").tobytes())
            await enroll(opened, subject, face, f"{(number * 7919) % 1000:04}-{number}")
            if number % 25 == 0:
                document = draft(f"d{number}", f"text {number} " * (number + 1), {})
                await opened.service.documents.keep(TENANT, "people", document, KeepPolicy())
        before = files_of(opened.path)
        assert all(data[:12] in before for datas in kept.values() for data in datas)
        for subject in ("s3", "s17", "s29", "s0"):
            assert await opened.service.faces.delete_subject(TENANT, "people", subject) == 10
            after = files_of(opened.path)
            assert not any(traces(after, data) for data in kept[subject])
            assert all(data[:12] in after for data in kept["s5"])
            probe = FaceTemplate(FaceModel("m", str(int(subject[1:]) % 4)), kept[subject][0])
            assert subject not in await find(opened, probe, k=30)
        with pytest.raises(DomainError) as refused:
            await opened.service.faces.delete_subject(TENANT, "people", "s3")
        assert refused.value.reason is Reason.SUBJECT_NOT_FOUND
        assert (await opened.service.libraries.get(TENANT, "people")).face_count == 260
        await eventually(lambda: opened.told.count("subject.deleted") == 4)
        assert not any(b"s17" in event.encoded for event in opened.bus.log if event.type == "subject.deleted")


async def test_a_deletion_that_a_reader_holds_up_is_finished_when_it_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_PATIENCE_S", 0.05)
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        values = RANDOM.normal(size=128)
        await enroll(opened, "anna", template(values))
        data = (values / np.linalg.norm(values)).astype("<f4").tobytes()
        with closing(sqlite3.connect(opened.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM faces").fetchone()
            with pytest.raises(DomainError) as held_up:
                await opened.service.faces.delete_subject(TENANT, "people", "anna")
            assert held_up.value.reason is Reason.STORAGE_FAILED
            assert traces(files_of(opened.path), data)
        with pytest.raises(DomainError) as repeated:
            await opened.service.faces.delete_subject(TENANT, "people", "anna")
        assert repeated.value.reason is Reason.SUBJECT_NOT_FOUND
        assert not traces(files_of(opened.path), data)


async def test_a_deleted_subject_is_not_found_in_an_index_that_was_loaded(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        values = RANDOM.normal(size=128)
        await enroll(opened, "anna", template(values))
        assert await find(opened, template(values)) == ["anna"]
        await opened.service.faces.delete_subject(TENANT, "people", "anna")
        await enroll(opened, "ben", template())
        assert await find(opened, template(values)) == ["ben"]
    async with open_library(tmp_path) as opened:
        assert await find(opened, template(values)) == ["ben"]


async def test_fifty_thousand_faces_are_searched_exactly(tmp_path: Path) -> None:
    count = 50_000
    rows = RANDOM.normal(size=(count, 128)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        library = await opened.service.libraries.get(TENANT, "people")
        async with opened.service.faces._database.transaction() as transaction:
            values = [
                {
                    "library_no": library.no,
                    "no": number + 1,
                    "face_id": f"f{number}",
                    "subject_id": f"s{number}",
                    "model_name": MODEL.name,
                    "model_version": MODEL.version,
                    "template": rows[number].tobytes(),
                    "create_time": library.create_time,
                }
                for number in range(count)
            ]
            await transaction.execute(insert(FACES), values)
        for number in (0, 777, count - 1):
            probe = rows[number] + 0.1 * RANDOM.normal(size=128).astype("<f4")
            scores = rows @ (probe / np.linalg.norm(probe))
            expected = [f"s{index}" for index in np.argsort(-scores, kind="stable")[:10]]
            assert await find(opened, template(probe), k=10) == expected


async def test_a_deleted_library_leaves_no_template_in_any_file(tmp_path: Path) -> None:
    async with open_library(tmp_path) as opened:
        await made(opened, "people")
        values = RANDOM.normal(size=128)
        await enroll(opened, "anna", template(values))
        data = (values / np.linalg.norm(values)).astype("<f4").tobytes()
        assert traces(files_of(opened.path), data)
        await opened.service.libraries.delete(TENANT, "people")
        assert not traces(files_of(opened.path), data)
