"""Of whom blobs are: entries beside them in their folder, so that a person's are found without a database."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from vidence_server.core.canonical import canonical_hash
from vidence_server.storage.blobs import UNFINISHED, in_thread, is_blob_id, locked_folder

SUBJECT_FORMAT = "vidence.blob-subject/1"


class BlobSubjects:
    """An index of a folder of `FolderBlobs` by the person whom a blob shows; any process may use it.

    An entry is an empty file, `sub_<digest>_<UUID of the blob>`: no name of a person stands on the disk. The
    digest is not keyed, so whoever reads the folder and guesses an id can check the guess. Entries expire
    with their blobs, and whoever sweeps the folder removes blobs before entries: never is there a blob that
    had an entry and lost it.
    """

    def __init__(self, folder: Path) -> None:
        """An index, not looked at yet.

        Args:
            folder: Of the blobs; may be missing.
        """
        self._folder = folder

    async def add(self, blob_id: str, *, tenant: str, subject_id: str, expire_time: datetime) -> None:
        """Notes of whom a blob is; survives kill -9 and the loss of power when this returns. Idempotent.

        Args:
            blob_id: Which.
            tenant: Whose folder it is.
            subject_id: Who.
            expire_time: Of the blob.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED.
        """
        if not is_blob_id(blob_id):
            raise ValueError("no id of a blob")
        name = f"{_prefix(tenant, subject_id)}{blob_id.removeprefix('blb_')}"
        await in_thread(_add, self._folder / name, expire_time.timestamp())

    async def find(self, tenant: str, subject_id: str) -> list[str]:
        """Ids of a subject's blobs, also of those that expired and are not swept yet, in their order.

        Raises:
            DomainError: STORAGE_FAILED.
        """
        return await in_thread(_find, self._folder, _prefix(tenant, subject_id))

    async def remove(self, blob_ids: Sequence[str], *, tenant: str, subject_id: str) -> None:
        """Forgets of whom blobs were, once they are deleted; raises `DomainError`, STORAGE_FAILED."""
        if blob_ids:
            prefix = _prefix(tenant, subject_id)
            names = [f"{prefix}{blob_id.removeprefix('blb_')}" for blob_id in blob_ids]
            await in_thread(_remove, self._folder, names)


def _prefix(tenant: str, subject_id: str) -> str:
    digest = canonical_hash({"format": SUBJECT_FORMAT, "subject_id": subject_id, "tenant": tenant})
    return f"sub_{digest}_"


def _add(path: Path, expire_s: float) -> None:
    """Under another name first: without its time of expiry it would be swept at once."""
    unfinished = path.with_name(path.name + UNFINISHED)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    os.utime(unfinished, (expire_s, expire_s))
    unfinished.rename(path)
    _bring_to_disk(path.parent)


def _find(folder: Path, prefix: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(prefix))
    except FileNotFoundError:  # nothing was ever kept
        return []
    ids = (f"blb_{name.removeprefix(prefix)}" for name in names)
    return [blob_id for blob_id in ids if is_blob_id(blob_id)]


def _remove(folder: Path, names: Sequence[str]) -> None:
    # What was deleted before is not to come back with a loss of power while its entry does not.
    _bring_to_disk(folder)
    with locked_folder(folder):
        for name in names:
            (folder / name).unlink(missing_ok=True)
    _bring_to_disk(folder)


def _bring_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
