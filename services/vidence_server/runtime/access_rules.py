"""The access rules that stand in the protos."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from vidence.access.v1 import options_pb2

OPEN_SERVICES = frozenset({"grpc.health.v1.Health"})
"""Answered without a credential: probes have none, and they learn nothing but whether a service is ready."""
UNSCOPED_SERVICES = frozenset(
    {"grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"}
)
"""Answered to any valid credential: the contract is public, but not who runs it here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a call of one RPC needs.

    Attributes:
        scope: That the credential grants; empty: any credential will do.
        session_token: Whether the session token in the request is enough without one.
        all_tenants: Whether only a credential of all tenants will do.
    """

    scope: str = ""
    session_token: bool = False
    all_tenants: bool = False


def check_rules(service: str) -> None:
    """Raises `LookupError` where an RPC of a service has no rule."""
    for method in descriptor_pool.Default().FindServiceByName(service).methods:
        rule_of(service, str(method.name))


def rule_of(service: str, method: str) -> Rule | None:
    """The rule of an RPC; None: it is open.

    Raises:
        LookupError: The RPC has no rule: it must not be served.
    """
    if service in OPEN_SERVICES:
        return None
    if service in UNSCOPED_SERVICES:
        return Rule()
    found: MethodDescriptor = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    rule = found.GetOptions().Extensions[options_pb2.rule]
    if not rule.scope:
        raise LookupError(f"{service}/{method} has no access rule")
    return Rule(rule.scope, rule.session_token, rule.all_tenants)
