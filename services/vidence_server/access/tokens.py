"""JSON Web Tokens (RFC 7519) as credentials, checked with the issuer's public keys (JWKS, RFC 7517)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

import jwt
import structlog

from vidence_server.access import refusals
from vidence_server.access.principal import Principal, is_tenant, wrong_grants
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only: a public key must never be taken for a shared secret (RFC 8725, 3.1)."""
_FETCH_S = 10.0
_MAX_BYTES = 2**20
_MAX_TOKEN = 8 * 2**10
_ASK_AGAIN_S = 10.0
"""A token with a key that is not known makes the keys be fetched, this often at most."""

Fetch = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say.

    Attributes:
        issuer: Its `iss`.
        audience: One of its `aud`.
        tenant_claim: Where it names the tenant.
        scope_claim: Where it lists scopes: a string with spaces between (RFC 8693), or a list.
        leeway_s: By which clocks may differ, s.
    """

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"
    leeway_s: float = 30.0


class TokenBook:
    """The keys of one issuer, fetched again every `refresh_s`."""

    def __init__(self, rules: TokenRules, fetch: Fetch, clock: Clock, *, refresh_s: float = 300.0) -> None:
        """A book without keys; `refresh` gets them.

        Args:
            rules: What a token must say.
            fetch: Gives the key set; blocks, and runs in a thread.
            clock: The time.
            refresh_s: Age at which the keys are fetched again, s.
        """
        self._rules = rules
        self._fetch = fetch
        self._clock = clock
        self._refresh_s = refresh_s
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_s = float("-inf")
        self._asked_s = float("-inf")
        self._fetching = asyncio.Lock()
        self._log = structlog.get_logger(__name__)

    async def principal(self, token: str) -> Principal:
        """Who a token belongs to; raises `DomainError`, CREDENTIAL_INVALID or CREDENTIAL_EXPIRED."""
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", "")) if len(token) <= _MAX_TOKEN else ""
        except jwt.PyJWTError:
            raise refusals.invalid() from None
        if key_id not in self._keys:
            await self._ask_again()
        key = self._keys.get(key_id)
        if key is None:
            raise refusals.invalid()
        return self._principal(self._claims(token, key), key_id)

    def stands(self, principal: Principal) -> bool:
        """Whether the issuer still has the key that signed the token. Its expiry is the principal's."""
        return principal.key_id in self._keys

    async def refresh(self) -> None:
        """Fetches the keys, where they are old."""
        if self._clock.monotonic() - self._fetched_s < self._refresh_s:
            return
        async with self._fetching:
            self._fetched_s = self._clock.monotonic()
            try:
                self._keys = read_key_set(await asyncio.to_thread(self._fetch))
            except DomainError as error:
                # Those that are known go on; an issuer that is away must not shut everybody out.
                self._log.error("keys of tokens not fetched", reason=error.reason, detail=error.message)

    async def _ask_again(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._asked_s >= _ASK_AGAIN_S:
            self._asked_s, self._fetched_s = now_s, float("-inf")
            await self.refresh()

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        rules = self._rules
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name] if key.algorithm_name in _ALGORITHMS else [],
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise refusals.expired() from None
        except jwt.PyJWTError:
            raise refusals.invalid() from None
        return claims

    def _principal(self, claims: Mapping[str, Any], key_id: str) -> Principal:
        listed = claims.get(self._rules.scope_claim, "")
        scopes = listed.split() if isinstance(listed, str) else listed
        tenant = claims.get(self._rules.tenant_claim)
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise refusals.invalid()
        if not isinstance(tenant, str) or not (is_tenant(tenant) or tenant == "*"):
            raise refusals.invalid()
        # Scopes of other systems stand in the same token.
        wrong = set(wrong_grants(scopes))
        # A subject may be a person's name: logs get its digest.
        named = hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()[:16]
        expire_time = datetime.fromtimestamp(float(claims["exp"]) + self._rules.leeway_s, UTC)
        granted = tuple(scope for scope in scopes if scope not in wrong)
        return Principal(f"token_{named}", tenant, granted, expire_time, key_id)


def read_key_set(encoded: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys of a key set by id; raises `DomainError`, CONFIGURATION_INVALID."""
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(encoded))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise DomainError(Reason.CONFIGURATION_INVALID, "The keys of tokens are no JWK set.") from error
    return {str(key.key_id): key for key in found.keys if key.key_id and key.algorithm_name in _ALGORITHMS}


def file_of(path: Path) -> Fetch:
    """Reads a key set from a file."""

    def fetch() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"{path}: {error.strerror or 'cannot be read'}."
            ) from error

    return fetch


def url_of(url: str) -> Fetch:
    """Fetches a key set; only over TLS, or from this machine.

    Raises:
        DomainError: CONFIGURATION_INVALID for any other address.
    """
    if not _is_guarded(url):
        raise DomainError(Reason.CONFIGURATION_INVALID, "access.jwt.jwks_url must be an https:// address.")
    opener = urllib.request.build_opener(_GuardedRedirects)

    def fetch() -> bytes:
        try:
            with opener.open(url, timeout=_FETCH_S) as answer:
                encoded: bytes = answer.read(_MAX_BYTES)
        except (OSError, ValueError) as error:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"The keys of tokens cannot be fetched: {type(error).__name__}."
            ) from error
        return encoded

    return fetch


def _is_guarded(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return parts.scheme == "https" or here


class _GuardedRedirects(urllib.request.HTTPRedirectHandler):
    """Goes where an answer leads only if the keys come from there as safely."""

    def redirect_request(  # noqa: PLR0917  # as the library calls it
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Raises `ValueError` where it leads into the open."""
        if not _is_guarded(newurl):
            raise ValueError("the keys of tokens would come in the open")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
