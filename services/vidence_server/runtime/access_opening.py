"""Makes the guard of a server from its settings."""

from __future__ import annotations

from pathlib import Path

from vidence_server.access.allowances import Allowances
from vidence_server.access.authority import Authority, Books
from vidence_server.access.certificates import CertificateBook, Grant
from vidence_server.access.key_book import KeyBook
from vidence_server.access.principal import ALL_TENANTS, is_tenant, wrong_grants
from vidence_server.access.tokens import TokenBook, TokenRules, file_of, url_of
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.access_guard import AccessGuard
from vidence_server.runtime.access_settings import AccessSettings, JwtSettings


def make_guard(settings: AccessSettings, clock: Clock) -> AccessGuard | None:
    """A guard at rest; None where nobody checks credentials.

    Raises:
        DomainError: CONFIGURATION_INVALID: nobody could ever be let in, or a file cannot be read.
    """
    _check_tenants(settings.tenants)
    if settings.audit_tenant is not None and settings.audit_tenant not in settings.tenants:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, "access.audit_tenant is none of access.tenants: it has no bus."
        )
    if settings.mode == "off":
        return None
    books = Books(
        keys=None if settings.keys_file is None else KeyBook(_existing(settings.keys_file), clock),
        tokens=_token_book(settings.jwt, clock),
        certificates=_certificate_book(settings, clock),
    )
    if books == Books():
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "access.mode is on, but nobody could be let in: set access.keys_file, access.jwt or "
            "access.certificates.",
        )
    allowances = Allowances(
        clock, per_s=settings.calls_per_s, burst=settings.calls_burst, open_calls=settings.open_calls
    )
    return AccessGuard(settings, Authority(books, settings.tenants, clock), allowances)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"{path} is not there: `vidence keys create` makes it."
        )
    return path


def _token_book(settings: JwtSettings, clock: Clock) -> TokenBook | None:
    if settings.jwks_file is None and settings.jwks_url is None:
        return None
    if not settings.issuer or not settings.audience:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, "access.jwt needs access.jwt.issuer and access.jwt.audience."
        )
    fetch = file_of(settings.jwks_file) if settings.jwks_file is not None else url_of(settings.jwks_url or "")
    rules = TokenRules(
        settings.issuer,
        settings.audience,
        settings.tenant_claim,
        settings.scope_claim,
        settings.leeway_s,
    )
    return TokenBook(rules, fetch, clock, refresh_s=settings.refresh_s)


def _certificate_book(settings: AccessSettings, clock: Clock) -> CertificateBook | None:
    if not settings.certificates:
        return None
    grants = {}
    for name, grant in settings.certificates.items():
        if wrong_grants(grant.scopes) or not (grant.tenant == ALL_TENANTS or is_tenant(grant.tenant)):
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"access.certificates.{name}: no tenant, or no scopes."
            )
        grants[name] = Grant(grant.tenant, grant.scopes)
    return CertificateBook(grants, clock)


def _check_tenants(tenants: tuple[str, ...]) -> None:
    wrong = [tenant for tenant in tenants if not is_tenant(tenant)]
    if wrong or len(set(tenants)) < len(tenants):
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"access.tenants are no different names of tenants: {wrong}."
        )
