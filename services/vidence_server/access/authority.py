"""Tells who calls, by whatever credential they have, and whether that still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from vidence_server.access import refusals
from vidence_server.access.api_keys import PREFIX
from vidence_server.access.certificates import CertificateBook
from vidence_server.access.key_book import KeyBook
from vidence_server.access.principal import Presented, Principal
from vidence_server.access.tokens import TokenBook
from vidence_server.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Books:
    """Where credentials are known. None: there are none of that kind."""

    keys: KeyBook | None = None
    tokens: TokenBook | None = None
    certificates: CertificateBook | None = None


class Authority:
    """All books of a server."""

    def __init__(self, books: Books, tenants: Collection[str], clock: Clock) -> None:
        self._books = books
        self._tenants = frozenset(tenants)
        self._clock = clock

    async def principal(self, presented: Presented) -> Principal:
        """Who calls: by key or token, else by certificate.

        Raises:
            DomainError: CREDENTIAL_MISSING, CREDENTIAL_INVALID, CREDENTIAL_EXPIRED, TENANT_UNKNOWN.
        """
        if presented.nothing:
            raise refusals.missing()
        principal = await self._known(presented)
        if not principal.all_tenants and principal.tenant not in self._tenants:
            raise refusals.tenant_unknown()
        return principal

    def presents_nothing(self, presented: Presented) -> bool:
        """Whether there is no key, no token, and no certificate of somebody who is known here."""
        if presented.api_key or presented.token:
            return False
        known = self._books.certificates
        return not presented.certificate or known is None or not known.knows(presented.certificate)

    def tenant(self, principal: Principal, asked: str) -> str:
        """Whose data a call means.

        Args:
            principal: Who calls.
            asked: The tenant that the call names; empty: it names none.

        Raises:
            DomainError: TENANT_UNKNOWN.
        """
        if not principal.all_tenants:
            if asked not in {"", principal.tenant}:
                raise refusals.tenant_unknown()
            return principal.tenant
        if not asked and len(self._tenants) == 1:
            (only,) = self._tenants
            return only
        if asked not in self._tenants:
            raise refusals.tenant_unknown()
        return asked

    def stands(self, principal: Principal) -> bool:
        """Whether the credential would still be taken."""
        if principal.expire_time is not None and principal.expire_time <= self._clock.now():
            return False
        if principal.name.startswith("key_"):
            return self._books.keys is not None and self._books.keys.stands(principal)
        if principal.name.startswith("token_"):
            return self._books.tokens is not None and self._books.tokens.stands(principal)
        return True

    async def refresh(self) -> None:
        """Looks whether the files and the key set have changed."""
        if self._books.keys is not None:
            await asyncio.to_thread(self._books.keys.look)
        if self._books.tokens is not None:
            await self._books.tokens.refresh()

    async def _known(self, presented: Presented) -> Principal:
        books = self._books
        key = presented.api_key or (presented.token if presented.token.startswith(PREFIX) else "")
        if key:
            if books.keys is None:
                raise refusals.invalid()
            return books.keys.principal(key)
        if presented.token:
            if books.tokens is None:
                raise refusals.invalid()
            return await books.tokens.principal(presented.token)
        if books.certificates is None:
            raise refusals.missing()
        return books.certificates.principal(presented.certificate)
