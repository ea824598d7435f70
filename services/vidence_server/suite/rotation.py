"""Brings everything that is encrypted at rest under the current key, beside the services that run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, select

from vidence_server.batch import app as batch
from vidence_server.batch.store.item_rows import ITEMS
from vidence_server.capture import app as capture
from vidence_server.capture.store import IMAGE_OWNERS
from vidence_server.core.file_lock import FileLock
from vidence_server.encryption.blob_rotation import (
    RotatedBlobs,
    count_folder_keys,
    plain_blobs,
    rotate_folder,
)
from vidence_server.encryption.key_counts import KeyCounts
from vidence_server.encryption.sealing import Sealing
from vidence_server.library import app as library
from vidence_server.library.store.template_keys import RotatedTemplates, count_keys, rotate_templates
from vidence_server.monitor.app import images_of
from vidence_server.runtime.encryption_opening import check_key, rotate_check
from vidence_server.storage.database import Database
from vidence_server.storage.location import StateLocation
from vidence_server.suite.capture import IMAGES as CAPTURE_IMAGES

TEMPLATES = "face templates"
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Folder:
    """Images of a service, and where it says whose they are."""

    name: str
    service: str = ""
    migrations: Path = Path()
    owners: tuple[Column[Any], Column[Any]] | None = None
    """Columns of blob and tenant; None: all are of `tenant`."""
    tenant: str = ""


_FOLDERS = (
    _Folder(CAPTURE_IMAGES, "capture", capture.MIGRATIONS, IMAGE_OWNERS),
    _Folder(batch.IMAGES, "batch", batch.MIGRATIONS, (ITEMS.c.blob_id, ITEMS.c.tenant)),
)


def _folders(tenants: Sequence[str]) -> tuple[_Folder, ...]:
    return (*_FOLDERS, *(_Folder(images_of(tenant), tenant=tenant) for tenant in tenants))


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did in one place."""

    place: str
    current: int
    rotated: int
    gone: int
    refused: int


async def rotate_all(
    location: StateLocation, sealing: Sealing, tenants: Sequence[str], told: Callable[[str, int], None]
) -> AsyncIterator[Rotated]:
    """Rotates place by place; may be broken off and begun again.

    Args:
        location: Of the data.
        sealing: With the keys, switched on.
        tenants: Whose monitors keep pictures.
        told: Called, from any thread, with a place and what was looked at there so far.

    Raises:
        DomainError: DATABASE_IN_USE: another rotation runs; KEY_UNAVAILABLE, STORAGE_FAILED and what
            `check_key` raises.
    """
    with FileLock(location.folder / "encryption.rotation"):
        await asyncio.to_thread(check_key, sealing, location.folder)
        for folder in _folders(tenants):
            yield await _rotate_folder(location, sealing, folder, told)
        if location.exists("library"):
            yield await _rotate_templates(location, sealing, told)
        await asyncio.to_thread(rotate_check, sealing, location.folder)


async def count_all(
    location: StateLocation, sealing: Sealing, tenants: Sequence[str]
) -> Mapping[str, KeyCounts]:
    """By place: what is kept, by the key that it is under, and what is damaged. Arguments as `rotate_all`.

    Raises:
        DomainError: STORAGE_FAILED.
    """
    counts = {
        folder.name: await asyncio.to_thread(count_folder_keys, location.folder / folder.name, sealing)
        for folder in _folders(tenants)
    }
    if location.exists("library"):
        async with location.database("library", migrations=library.MIGRATIONS, guest=True) as database:
            counts[TEMPLATES] = await count_keys(database, sealing)
    return counts


async def _rotate_folder(
    location: StateLocation, sealing: Sealing, folder: _Folder, told: Callable[[str, int], None]
) -> Rotated:
    path = location.folder / folder.name
    owners = await _owners(location, folder, await asyncio.to_thread(plain_blobs, path))

    def tell(done: RotatedBlobs) -> None:
        told(folder.name, done.current + done.rotated + done.gone + done.refused)

    done = await asyncio.to_thread(rotate_folder, path, sealing, owners.get, tell)
    return Rotated(folder.name, done.current, done.rotated, done.gone, done.refused)


async def _rotate_templates(
    location: StateLocation, sealing: Sealing, told: Callable[[str, int], None]
) -> Rotated:
    def tell(done: RotatedTemplates) -> None:
        told(TEMPLATES, done.current + done.rotated + done.refused)

    async with location.database("library", migrations=library.MIGRATIONS, guest=True) as database:
        done = await rotate_templates(database, sealing, tell)
    return Rotated(TEMPLATES, done.current, done.rotated, 0, done.refused)


async def _owners(location: StateLocation, folder: _Folder, blob_ids: Sequence[str]) -> dict[str, str]:
    """Whose plain blobs are; those that nobody names any more are missing."""
    if folder.owners is None:
        return dict.fromkeys(blob_ids, folder.tenant)
    if not blob_ids or not location.exists(folder.service):
        return {}
    async with location.database(folder.service, migrations=folder.migrations, guest=True) as database:
        return await _tenants(database, folder.owners, blob_ids)


async def _tenants(
    database: Database, owners: tuple[Column[Any], Column[Any]], blob_ids: Sequence[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    async with database.snapshot() as snapshot:
        for start in range(0, len(blob_ids), _IDS_AT_ONCE):
            some = blob_ids[start : start + _IDS_AT_ONCE]
            rows = await snapshot.execute(select(*owners).where(owners[0].in_(some)))
            found.update((row[0], row[1]) for row in rows)
    return found
