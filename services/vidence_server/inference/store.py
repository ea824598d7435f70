"""The folder in which model files are kept; nothing leaves it unchecked."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import platformdirs

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.registry import LocalFile, ModelSpec

_CHUNK_BYTES = 1 << 20


def default_folder() -> Path:
    """The user's cache folder for models."""
    return Path(platformdirs.user_cache_dir("vidence", appauthor=False)) / "models"


class ModelStore:
    """Model files by name and hash. Processes may share the folder: files appear whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, spec: ModelSpec) -> Path:
        """Where the store keeps this model, whether or not it is there."""
        built = f"-{spec.build.key}" if spec.build else ""
        return self.folder / f"{spec.name}-{spec.sha256[:16]}{built}.{spec.format}"

    def path(self, spec: ModelSpec) -> Path:
        """The file of a model, its hash checked now; a user's own local file is used where it lies.

        A built file must have the hash that was written beside it when it was built.

        Reads the whole file (about 1 ms per MB): not for the event loop.

        Raises:
            DomainError: MODEL_MISSING, MODEL_CORRUPT (with the expected and the actual hash as metadata).
        """
        path = self.place(spec)
        if not path.is_file() and isinstance(spec.source, LocalFile):
            path = spec.source.path
        try:
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise missing(spec, self.folder) from error
        expected = self._recorded(spec) if spec.build else spec.sha256
        if actual != expected:
            raise corrupt(spec, actual, expected)
        return path

    def add(self, spec: ModelSpec, content: IO[bytes], *, limit_bytes: int) -> Path:
        """Stores a model after checking it; replaces what was there.

        Raises:
            DomainError: MODEL_CORRUPT, when hash or size are not the registered ones.
        """
        with self._appearing(self.place(spec)) as temporary:
            with temporary.open("wb") as file:
                actual = copy_hashed(content, file, limit_bytes)
            if actual != spec.sha256:
                raise corrupt(spec, actual)
        return self.place(spec)

    def add_built(self, spec: ModelSpec, content: bytes) -> Path:
        """Stores the file that was built for a model, and its hash; replaces what was there."""
        with self._appearing(self.place(spec)) as temporary:
            temporary.write_bytes(content)
        with self._appearing(self._record(spec)) as temporary:
            temporary.write_text(hashlib.sha256(content).hexdigest() + "\n", encoding="ascii")
        return self.place(spec)

    @contextmanager
    def _appearing(self, place: Path) -> Iterator[Path]:
        """A temporary file that becomes `place` at once when the block ends well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".pull-")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            # mkstemp makes it private; a store may be shared with the user that serves.
            temporary.chmod(0o644)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)

    def _record(self, spec: ModelSpec) -> Path:
        """Where the hash of a built file is kept."""
        place = self.place(spec)
        return place.with_name(f"{place.name}.sha256")

    def _recorded(self, spec: ModelSpec) -> str:
        try:
            return self._record(spec).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise missing(spec, self.folder) from error


def missing(spec: ModelSpec, folder: Path) -> DomainError:
    """The error for a model that is not there."""
    if isinstance(spec.source, LocalFile):
        advice = f"there is no readable file {spec.source}."
    else:
        advice = (
            f"it is not in {folder}. Run `vidence models pull {spec.name}` where there is a network "
            f"(source: {spec.source}); the server itself never downloads."
        )
    return DomainError(
        Reason.MODEL_MISSING, f"The model {spec.name!r} is missing: {advice}", metadata={"model": spec.name}
    )


def corrupt(spec: ModelSpec, actual_sha256: str, expected_sha256: str = "") -> DomainError:
    """The error for a file that is not the registered one, or not the one that was built."""
    expected = expected_sha256 or spec.sha256
    local = isinstance(spec.source, LocalFile)
    advice = "" if local else f" `vidence models pull {spec.name}` fetches it anew."
    return DomainError(
        Reason.MODEL_CORRUPT,
        f"The file of the model {spec.name!r} has sha256 {actual_sha256}, not {expected}.{advice}",
        metadata={"model": spec.name, "expected_sha256": expected, "actual_sha256": actual_sha256},
    )


def copy_hashed(source: IO[bytes], target: IO[bytes], limit_bytes: int) -> str:
    """Copies one byte more than the limit at most, so that a longer source fails; returns the hash."""
    digest = hashlib.sha256()
    left = limit_bytes + 1
    while left > 0 and (chunk := source.read(min(_CHUNK_BYTES, left))):
        digest.update(chunk)
        target.write(chunk)
        left -= len(chunk)
    return digest.hexdigest()
