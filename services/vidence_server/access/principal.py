"""Who made a call, once a credential was checked, and what that credential allows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

ALL_TENANTS = "*"
"""The tenant of credentials that may act for any tenant, which each call then names."""
DEFAULT_TENANT = "default"
"""Whose data are meant where nobody checks credentials."""
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_GRANT = re.compile(r"\*|[a-z]+(?:\.[a-z]+)*(?:\.\*)?")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    Attributes:
        name: Names the caller in logs and limits: the id of a key, a digest of a token's subject, the name of
            a client certificate, or `session` and an address for those with nothing but a session token.
        tenant: Whose data the caller sees; `*`: anybody's, and each call names whose.
        scopes: What is granted: `events.read`, all of `events.*`, or `*`.
        expire_time: When the credential ends; None: it does not.
        key_id: Of an API key or of the key that signed a token, by which it can be revoked; empty: neither.
    """

    name: str
    tenant: str
    scopes: tuple[str, ...]
    expire_time: datetime | None = None
    key_id: str = ""

    @property
    def all_tenants(self) -> bool:
        """Whether it may act for any tenant."""
        return self.tenant == ALL_TENANTS

    def grants(self, scope: str) -> bool:
        """Whether a scope is granted."""
        return any(_covers(grant, scope) for grant in self.scopes)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a call brought to show who makes it. Secrets: never logged."""

    api_key: str = ""
    token: str = ""
    certificate: bytes = b""
    """The client's certificate, PEM; TLS has verified its chain."""

    @property
    def nothing(self) -> bool:
        """Whether there is no credential at all."""
        return not (self.api_key or self.token or self.certificate)

    def __repr__(self) -> str:
        return "Presented(…)"


def is_tenant(name: str) -> bool:
    """Whether a name can be a tenant's: up to 64 small letters, digits and hyphens."""
    return _TENANT.fullmatch(name) is not None


def wrong_grants(scopes: Iterable[str]) -> list[str]:
    """Those that are no grants."""
    return [scope for scope in scopes if not _GRANT.fullmatch(scope)]


def _covers(grant: str, scope: str) -> bool:
    if grant.endswith("*"):
        return scope.startswith(grant[:-1])
    return grant == scope
