"""Brings a folder of blobs under the current key, beside the services that use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.envelope import MAGIC
from vidence_server.encryption.key_counts import KeyCounts
from vidence_server.encryption.ports import MOST_KEY_ID_BYTES
from vidence_server.encryption.sealing import Sealing, is_under
from vidence_server.storage.blob_format import BlobLabel
from vidence_server.storage.blobs import UNFINISHED, is_blob_id, locked_folder

_HEAD_BYTES = len(MAGIC) + 3 + MOST_KEY_ID_BYTES
_DRAFT = f".rotated{UNFINISHED}"


@dataclass(slots=True)
class RotatedBlobs:
    """What a rotation did."""

    current: int = 0
    """Were under the current key already."""
    rotated: int = 0
    """Are now under it."""
    gone: int = 0
    """Were deleted or expired meanwhile."""
    refused: int = 0
    """Could not be read, or nobody knows whose they are; they stay as they are."""


def rotate_folder(
    folder: Path,
    sealing: Sealing,
    tenant_of: Callable[[str], str | None],
    told: Callable[[RotatedBlobs], None],
) -> RotatedBlobs:
    """Brings all blobs of a folder under the current key; plain ones are encrypted. Blocks.

    Each is written anew under another name, and takes the place of the old one at once and only if that is
    still there. So it may be killed and begun again at any time, and whoever reads meanwhile gets the old
    file or the new one.

    Args:
        folder: Of a `FolderBlobs`; may be missing.
        sealing: With the keys.
        tenant_of: Whose a plain blob is, by its id; None: nobody knows.
        told: Called with the numbers after each blob.

    Raises:
        DomainError: KEY_UNAVAILABLE.
        OSError: The folder cannot be written.
    """
    numbers, key_id = RotatedBlobs(), sealing.current_key_id()
    for path in _blobs(folder):
        try:
            if _is_current(path, key_id):
                numbers.current += 1
            elif _rotate(path, sealing, tenant_of):
                numbers.rotated += 1
            else:
                numbers.gone += 1
        except FileNotFoundError:
            numbers.gone += 1
        except DomainError as error:
            if error.reason is Reason.KEY_UNAVAILABLE:
                raise
            numbers.refused += 1
        told(numbers)
    return numbers


def count_folder_keys(folder: Path, sealing: Sealing) -> KeyCounts:
    """Blobs of a folder by the key that they are under. Blocks."""
    counts = KeyCounts()
    for path in _blobs(folder):
        try:
            with path.open("rb") as file:
                counts.add(sealing, file.read(_HEAD_BYTES), path.name)
        except FileNotFoundError:
            continue  # deleted or expired meanwhile
        except OSError:
            counts.damaged.append(path.name)
    return counts


def plain_blobs(folder: Path) -> list[str]:
    """The ids of the blobs that are not encrypted. Blocks."""
    found = []
    for path in _blobs(folder):
        with suppress(FileNotFoundError), path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                found.append(path.name)
    return found


def _blobs(folder: Path) -> Iterator[Path]:
    """The blobs as they were when it was asked for; bound: what one folder keeps, by names alone."""
    with suppress(FileNotFoundError):
        yield from sorted(path for path in folder.iterdir() if is_blob_id(path.name))


def _is_current(path: Path, key_id: str) -> bool:
    with path.open("rb") as file:
        return is_under(file.read(_HEAD_BYTES), key_id)


def _rotate(path: Path, sealing: Sealing, tenant_of: Callable[[str], str | None]) -> bool:
    """Whether it took the place of the old one."""
    draft = path.with_name(path.name + _DRAFT)
    try:
        with path.open("rb") as source, _written(draft) as target:
            label = BlobLabel(_tenant(path, source, tenant_of), path.parent.name, path.name)
            sealing.reseal(source, target, label)
            target.flush()
            os.fsync(target.fileno())
            expire_s = os.fstat(source.fileno()).st_mtime
        os.utime(draft, (expire_s, expire_s))
        with locked_folder(path.parent, alone=True):
            if not path.exists():
                return False
            draft.rename(path)
            return True
    finally:
        draft.unlink(missing_ok=True)


def _written(draft: Path) -> BinaryIO:
    # One that a killed rotation left is written over.
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _tenant(path: Path, source: BinaryIO, tenant_of: Callable[[str], str | None]) -> str:
    """Whose a blob is; where it is encrypted already it does not matter, its label stays."""
    plain = source.read(len(MAGIC)) != MAGIC
    source.seek(0)
    tenant = tenant_of(path.name) if plain else ""
    if tenant is None:
        raise DomainError(Reason.BLOB_NOT_FOUND, "Nobody knows whose this is.")
    return tenant
