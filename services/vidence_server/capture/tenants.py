"""The sessions of all tenants of a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import NoReturn

from vidence_server.capture.numbers import CaptureStatistics
from vidence_server.capture.service import CaptureService
from vidence_server.capture.store import SessionStore
from vidence_server.core.errors import DomainError, Reason


class CaptureTenants:
    """One service for each tenant; none knows of the others.

    Args:
        services: By tenant.
        store: Which all of them share.
    """

    def __init__(self, services: Mapping[str, CaptureService], store: SessionStore) -> None:
        self.services = services
        self._store = store

    def of(self, tenant: str) -> CaptureService:
        """A tenant's sessions; raises `DomainError`, SESSION_NOT_FOUND, where it has none."""
        service = self.services.get(tenant)
        if service is None:
            _no_session()
        return service

    async def of_session(self, session_id: str) -> CaptureService:
        """Whose a session is, for callers who show its token; raises `DomainError`, SESSION_NOT_FOUND."""
        for service in self.services.values():
            if service.has(session_id):
                return service
        tenant = await self._store.tenant_of_session(session_id)
        return self.of(tenant or "")

    async def of_image(self, image_id: str) -> CaptureService:
        """Whose a picture is, for callers who show its session's token.

        Raises:
            DomainError: IMAGE_NOT_FOUND.
        """
        tenant = await self._store.tenant_of_image(image_id)
        service = self.services.get(tenant or "")
        if service is None:
            raise DomainError(Reason.IMAGE_NOT_FOUND, "No picture that is kept has this id.")
        return service

    def statistics(self) -> CaptureStatistics:
        """The numbers of all tenants together, for who runs the server."""
        told = [service.book.statistics() for service in self.services.values()]
        names = [field.name for field in fields(CaptureStatistics)]
        return CaptureStatistics(**{name: sum(getattr(one, name) for one in told) for name in names})


def _no_session() -> NoReturn:
    raise DomainError(Reason.SESSION_NOT_FOUND, "No capture session that is kept has this id.")
