"""Erases a person's sessions with their pictures, and the pictures that a monitor keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from vidence_server.capture.live import LiveSession
from vidence_server.capture.ports import Snapshots
from vidence_server.capture.store import OwnSession, SessionStore
from vidence_server.capture.tenants import CaptureTenants
from vidence_server.core.erasure import Erasure, KindCount, counted
from vidence_server.storage.blobs import BlobStore
from vidence_server.storage.database import Database
from vidence_server.storage.erasure import empty_log

_LOOKS = 100
_LOOK_S = 0.05
"""How often, and with what pause, it is looked whether a cancelled session is written."""


@dataclass(frozen=True, slots=True)
class SubjectErasing:
    """What of a subject capture keeps, and its end."""

    database: Database
    tenants: CaptureTenants
    store: SessionStore
    blobs: BlobStore
    snapshots: Snapshots | None = None
    """Of a monitor; None: there are none here."""

    async def erase(self, tenant: str, subject_id: str, *, dry_run: bool) -> Erasure:
        """Erases a subject's sessions and pictures, or only counts them.

        Pictures of a monitor are found that recognised the subject; they are in no session. A session of this
        process that is not over is cancelled; one of another process counts as failed until it is over there.

        Raises:
            DomainError: STORAGE_FULL, STORAGE_FAILED; to be repeated.
        """
        sessions = await self.store.of_subject(tenant, subject_id)
        images = await self.store.images_of([session.id for session in sessions])
        failed: set[str] = set()
        if not dry_run:
            failed = {session.id for session in sessions if not await self._ended(tenant, session)}
            over = [session.id for session in sessions if session.id not in failed]
            await self._forget(over)
            if over:
                # What was told of the sessions of all is in memory, the person's among them.
                self.tenants.of(tenant).feed.log.forget()
            await empty_log(self.database)
        watched = 0
        if self.snapshots is not None:
            watched = await self.snapshots.erase(tenant, subject_id, dry_run=dry_run)
        kept = sum(image.session_id in failed for image in images)
        return counted(
            (
                _kind("capture_session", len(sessions), len(failed), dry_run=dry_run),
                _kind("capture_image", len(images), kept, dry_run=dry_run),
                _kind("monitor_image", watched, 0, dry_run=dry_run),
            ),
            [f"sessions/{session.id}" for session in sessions],
        )

    async def _ended(self, tenant: str, session: OwnSession) -> bool:
        """Whether nothing of a session is in work any more; lets go of it."""
        service = self.tenants.of(tenant)
        live = service.book.get(session.id)
        if live is None:
            return session.over
        await service.cancel(session.id)
        if not await _written(live):
            return False
        if service.book.get(session.id) is live:
            await service.book.forget(live)
        return True

    async def _forget(self, session_ids: Sequence[str]) -> None:
        # Bytes first: while there is a row, a repetition finds them. Also those that came until a moment ago.
        for image in await self.store.images_of(session_ids):
            await self.blobs.delete(image.blob_id)
        await self.store.forget(session_ids)


async def _written(live: LiveSession) -> bool:
    for _ in range(_LOOKS):
        if live.ended_s is not None and live.idle:
            return True
        await asyncio.sleep(_LOOK_S)
    return False


def _kind(kind: str, found: int, failed: int, *, dry_run: bool) -> KindCount:
    return KindCount(kind, found) if dry_run else KindCount(kind, found, found - failed, failed)
