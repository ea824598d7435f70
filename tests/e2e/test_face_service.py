"""The face service over gRPC, with the SDK, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fakes import face_pictures as pictures
from fakes.bad_files import CASES, LIMITS, Case
from fakes.face_models import face_server
from vidence.face.v1 import face_pb2, face_service_pb2
from vidence_client import Client, VidenceError, sync
from vidence_server.face.settings import FaceSettings

pytestmark = pytest.mark.requirement("R-FA1")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with face_server() as where:
        yield where


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[sync.Client]:
    with sync.Client(address) as opened:
        yield opened


@pytest.fixture(scope="module")
def astronaut() -> bytes:
    return pictures.picture_bytes(pictures.ASTRONAUT)


@pytest.fixture(scope="module")
def admiral() -> bytes:
    return pictures.picture_bytes(pictures.ADMIRAL)


@pytest.fixture(scope="module")
def both(astronaut: bytes, admiral: bytes) -> bytes:
    return pictures.encoded(pictures.beside(pictures.decoded(astronaut), pictures.decoded(admiral)))


NOBODY = pictures.encoded(pictures.without_faces())


@contextmanager
def refused(reason: str, **metadata: str) -> Iterator[None]:
    with pytest.raises(VidenceError) as caught:
        yield
    assert caught.value.reason == reason
    assert {key: caught.value.metadata.get(key) for key in metadata} == metadata


def test_faces_are_found_with_what_was_asked_for(client: sync.Client, both: bytes) -> None:
    plain = client.faces.detect(both)
    assert len(plain.faces) == 2
    assert all(face.pose.estimated and not face.contour for face in plain.faces)
    assert plain.image_size.height_px > 0
    asked = client.faces.detect(both, with_pose=True, with_contour=True)
    assert all(not face.pose.estimated and len(face.contour) == 68 for face in asked.faces)
    assert list(client.faces.detect(NOBODY).faces) == []


@pytest.mark.requirement("R-CA3")
def test_quality_tells_every_component_of_a_portrait(client: sync.Client, admiral: bytes) -> None:
    answer = client.faces.assess_quality(admiral)
    told = {component.measure for component in answer.quality.components}
    assert told == {*face_pb2.QualityMeasure.values()} - {face_pb2.QUALITY_MEASURE_UNSPECIFIED}
    assert (answer.face_count, answer.quality.unified_score > 80) == (1, True)
    blurred = pictures.encoded(pictures.blurred(pictures.decoded(admiral), 5))
    assert client.faces.assess_quality(blurred).quality.unified_score < answer.quality.unified_score - 15


def test_one_person_matches_and_two_do_not(client: sync.Client, astronaut: bytes, admiral: bytes) -> None:
    mirrored = pictures.encoded(pictures.mirrored(pictures.decoded(astronaut)))
    same = client.faces.compare(astronaut, mirrored)
    assert same.verdict == face_service_pb2.MATCH_VERDICT_MATCH
    assert (round(same.threshold, 3), same.similarity > 0.8) == (0.4, True)
    assert same.rates.false_accept.errors == 0
    assert 0 < same.rates.false_accept.upper_bound < 0.01
    other = client.faces.compare(astronaut, admiral)
    assert other.verdict == face_service_pb2.MATCH_VERDICT_NO_MATCH
    assert (other.model, len(other.version)) == ("face-embedder", 12)


def test_a_threshold_of_the_caller_comes_with_its_own_rates(
    client: sync.Client, astronaut: bytes, admiral: bytes
) -> None:
    answer = client.faces.compare(astronaut, admiral, threshold=0.3)
    assert answer.rates.threshold == pytest.approx(0.3)
    assert answer.rates.false_accept.errors > 0
    lowest = client.faces.compare(astronaut, admiral, threshold=-1)
    assert lowest.verdict == face_service_pb2.MATCH_VERDICT_MATCH
    assert not lowest.HasField("rates")


def test_which_face_is_meant_must_be_clear(client: sync.Client, both: bytes, admiral: bytes) -> None:
    with refused("SEVERAL_FACES", image="reference", actual="2"):
        client.faces.compare(both, admiral)
    with refused("SEVERAL_FACES", image="probe"):
        client.faces.compare(admiral, both)
    answer = client.faces.compare(both, admiral, reference_choice="largest")
    assert answer.verdict == face_service_pb2.MATCH_VERDICT_MATCH


def test_without_a_face_there_is_nothing_to_judge(client: sync.Client, admiral: bytes) -> None:
    with refused("NO_FACE", image="content"):
        client.faces.assess_quality(NOBODY)
    with refused("NO_FACE", image="probe"):
        client.faces.compare(admiral, NOBODY)
    with refused("NO_FACE", image="frames[0]"):
        client.faces.check_liveness([NOBODY])
    with refused("NO_FACE", image="content"):
        client.faces.embed(NOBODY, choice="only")
    assert list(client.faces.embed(NOBODY).faces) == []


def test_a_face_too_small_for_recognition_is_refused(client: sync.Client, admiral: bytes) -> None:
    tiny = pictures.encoded(pictures.scaled(pictures.decoded(admiral), 0.12))
    assert len(client.faces.detect(tiny).faces) == 1
    with refused("FACE_TOO_SMALL", image="probe", limit="12"):
        client.faces.compare(admiral, tiny)
    assert list(client.faces.embed(tiny).faces) == []


def test_templates_are_unit_vectors_of_one_model(client: sync.Client, both: bytes) -> None:
    answer = client.faces.embed(both)
    assert len(answer.faces) == 2
    for embedded in answer.faces:
        assert len(embedded.template.vector) == 128
        assert sum(value * value for value in embedded.template.vector) == pytest.approx(1, abs=1e-5)
        assert embedded.quality.unified_score > 0
    assert len({(found.template.model, found.template.version) for found in answer.faces}) == 1
    assert len(client.faces.embed(both, choice="largest").faces) == 1
    with refused("SEVERAL_FACES", image="content"):
        client.faces.embed(both, choice="only")


@pytest.mark.requirement("R-CA7")
def test_liveness_needs_several_frames_and_says_what_it_is_worth(
    client: sync.Client, astronaut: bytes
) -> None:
    one = client.faces.check_liveness([astronaut])
    assert one.verdict == face_service_pb2.LIVENESS_VERDICT_UNDECIDED
    assert (one.label, one.min_frames, round(one.threshold, 2)) == ("not certified PAD", 5, 0.7)
    frames = [astronaut, NOBODY, b"no picture", *[astronaut] * 4]
    answer = client.faces.check_liveness(frames)
    assert answer.verdict == face_service_pb2.LIVENESS_VERDICT_LIVE
    assert [frame.reason for frame in answer.frames[:4]] == ["", "NO_FACE", "IMAGE_UNSUPPORTED", ""]
    assert [frame.HasField("score") for frame in answer.frames[:4]] == [True, False, False, True]
    strict = client.faces.check_liveness([astronaut], threshold=1, min_frames=1)
    assert strict.verdict == face_service_pb2.LIVENESS_VERDICT_NOT_LIVE


def test_the_thresholds_are_published_with_what_is_not_known(client: sync.Client) -> None:
    answer = client.faces.list_thresholds()
    assert answer.default_threshold == pytest.approx(0.4)
    assert len(answer.rates) > 50
    assert "Labelled Faces" in answer.data
    assert any("0.1 %" in limit for limit in answer.limits)


@pytest.fixture(scope="module")
def strict() -> Iterator[sync.Client]:
    """A client of a server with the limits that the bad files break."""
    settings = FaceSettings(max_image_bytes=LIMITS.max_bytes, max_image_pixels=LIMITS.max_pixels)
    with face_server(settings) as where, sync.Client(where) as opened:
        yield opened


@pytest.mark.parametrize("case", [case for case in CASES if case.page == 1], ids=lambda case: case.name)
def test_a_bad_file_is_refused_by_its_reason(strict: sync.Client, admiral: bytes, case: Case) -> None:
    with refused(case.reason, image="probe"):
        strict.faces.compare(admiral, case.make())


async def test_the_asynchronous_client_answers_the_same(address: str, both: bytes) -> None:
    async with Client(address) as client:
        assert len((await client.faces.detect(both)).faces) == 2
        assert (await client.faces.list_thresholds()).model == "face-embedder"


def test_requests_that_break_their_rules_name_the_field(client: sync.Client, admiral: bytes) -> None:
    with refused("REQUEST_INVALID"):
        client.faces.check_liveness([])
    with refused("REQUEST_INVALID"):
        client.faces.compare(admiral, admiral, threshold=1.5)


def test_settings_move_thresholds_and_limits(admiral: bytes) -> None:
    settings = FaceSettings(match_threshold=0.55, min_inter_eye_px=200, liveness_min_frames=1)
    with face_server(settings) as where, sync.Client(where) as client:
        assert client.faces.list_thresholds().default_threshold == pytest.approx(0.55)
        with refused("FACE_TOO_SMALL", limit="200"):
            client.faces.compare(admiral, admiral)
        verdict = client.faces.check_liveness([admiral]).verdict
        assert verdict != face_service_pb2.LIVENESS_VERDICT_UNDECIDED
