"""Lets in who may call: one check per call, before anything is done for it."""

from __future__ import annotations

import asyncio
from typing import Any

from vidence_server.access import refusals
from vidence_server.access.principal import Presented, Principal
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.runtime.access_guard import AccessGuard, OpenStream
from vidence_server.runtime.access_rules import Rule, rule_of
from vidence_server.runtime.audit_events import AuditEntry
from vidence_server.runtime.interceptors.chain import Behaviour, Context
from vidence_server.runtime.rpc import Method, Rpc, current_rpc

TENANT_KEY = "vidence-tenant"
"""Metadata by which a credential of all tenants names the one it means."""
API_KEY = "x-api-key"
_BEARER = "bearer "
_CERTIFICATE = "x509_pem_cert"


class AccessInterceptor:
    """Authenticates, authorises by the rule in the proto, and names the tenant. Without a guard: nothing."""

    def __init__(self, guard: AccessGuard | None, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Raises instead of calling where the caller may not; an RPC without a rule is not served."""
        if self._guard is None:
            return behaviour
        rule = rule_of(method.service, method.name)
        if rule is None:
            return behaviour
        return _Door(self._guard, rule, method, behaviour, self._clock).answer


class _Door:
    """One RPC."""

    def __init__(
        self, guard: AccessGuard, rule: Rule, method: Method, behaviour: Behaviour, clock: Clock
    ) -> None:
        self._guard = guard
        self._rule = rule
        self._method = method
        self._behaviour = behaviour
        self._clock = clock

    async def answer(self, request: Any, context: Context) -> Any:
        """Checks who calls, and answers for as long as they may."""
        rpc = current_rpc() or Rpc(self._method, "")
        started_s = self._clock.monotonic()
        outcome, refused = "OK", True
        try:
            principal = await self._admitted(request, context, rpc)
            with self._guard.call(principal):
                refused = False
                if self._method.streaming:
                    return await self._stream(principal, rpc, request, context)
                return await self._behaviour(request, context)
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            name = rpc.principal.name if rpc.principal is not None else ""
            took_s = self._clock.monotonic() - started_s
            entry = AuditEntry(
                name, rpc.tenant, self._method.service, self._method.name, outcome, took_s, rpc.request_id
            )
            self._guard.write_down(entry, refused=refused, scope=self._rule.scope)

    async def _admitted(self, request: Any, context: Context, rpc: Rpc) -> Principal:
        rpc.tenant = ""
        metadata = dict(context.invocation_metadata() or ())
        presented = _presented(metadata, context)
        # Behind a proxy each connection shows the proxy's certificate.
        if self._rule.session_token and self._guard.presents_nothing(presented):
            rpc.session_only = True
            return self._session_holder(request, context, rpc)
        principal = rpc.principal = await self._guard.principal(presented)
        rule = self._rule
        if rule.scope and not principal.grants(rule.scope):
            raise refusals.scope_missing(rule.scope)
        if rule.all_tenants:
            if not principal.all_tenants:
                raise refusals.scope_missing(rule.scope)
            return principal
        if rule.scope:
            rpc.tenant = self._guard.tenant(principal, _text(metadata.get(TENANT_KEY)))
        return principal

    def _session_holder(self, request: Any, context: Context, rpc: Rpc) -> Principal:
        """A caller with nothing but the token of a session, which the service checks."""
        if not self._method.request_streaming and not getattr(request, "session_token", ""):
            raise refusals.missing()
        address = context.peer().rpartition(":")[0]
        rpc.principal = Principal(f"session {address}", "", (self._rule.scope,))
        return rpc.principal

    async def _stream(self, principal: Principal, rpc: Rpc, request: Any, context: Context) -> Any:
        cut = asyncio.timeout(None)
        try:
            async with cut:
                stream = OpenStream(principal, rpc, cut)
                self._guard.opened(stream)
                try:
                    return await self._behaviour(request, context)
                finally:
                    self._guard.closed(stream)
        except TimeoutError:
            if cut.expired():
                raise refusals.expired() from None
            raise


def _presented(metadata: dict[str, Any], context: Context) -> Presented:
    authorization = _text(metadata.get("authorization"))
    bearer = authorization[: len(_BEARER)].lower() == _BEARER
    token = authorization[len(_BEARER) :].strip() if bearer else ""
    chain = tuple(context.auth_context().get(_CERTIFICATE, ()))
    return Presented(_text(metadata.get(API_KEY)), token, chain[0] if chain else b"")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _outcome(error: BaseException) -> str:
    if isinstance(error, DomainError):
        return error.reason
    return "CANCELLED" if isinstance(error, asyncio.CancelledError) else "INTERNAL"
