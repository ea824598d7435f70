"""Every RPC × every kind of credential → its status, by the rules in the protos, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.access import ISSUER, Issuer, KeyFile, all_methods, bearer, door_server, method_of, status_of_call
from vidence.capture.v1 import capture_service_pb2 as capture
from vidence_server.runtime.access_rules import Rule, rule_of
from vidence_server.runtime.access_settings import AccessSettings, JwtSettings

LET_IN = grpc.StatusCode.UNIMPLEMENTED
"""What the services of this server answer whoever is let in."""
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED

Credential = Callable[[KeyFile, Issuer, Rule], str]


def none(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return ""


def no_key(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key("acme")[:-1] + "g"


def foreign_key(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    """One of the right form that no file has."""
    return "vk_0123456789ab." + "0" * 64


def wrong_secret(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key(owner(rule)).partition(".")[0] + "." + "0" * 64


def expired_key(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key(owner(rule), rule.scope, life_s=-1)


def revoked_key(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    text = keys.key(owner(rule), rule.scope)
    keys.revoke(text)
    return text


def expired_token(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return issuer.token(owner(rule), rule.scope, exp=datetime.now(UTC) - timedelta(minutes=5))


def foreign_token(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return Issuer(issuer.key_id).token(owner(rule), rule.scope)


def key_of_another_scope(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key(owner(rule), "other.scope", rule.scope + ".more")


def token_of_another_scope(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return issuer.token(owner(rule), "openid profile")


def key_of_another_tenant(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    """Of one that this server does not have; what tenants see of each other is tested elsewhere."""
    return keys.key("elsewhere", rule.scope)


def right_key(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key(owner(rule), rule.scope)


def right_token(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return issuer.token(owner(rule), f"openid {rule.scope}")


def key_of_one_tenant(keys: KeyFile, issuer: Issuer, rule: Rule) -> str:
    return keys.key("acme", rule.scope)


def owner(rule: Rule) -> str:
    return "*" if rule.all_tenants else "acme"


MATRIX: list[tuple[Credential, grpc.StatusCode]] = [
    (none, UNAUTHENTICATED),
    (no_key, UNAUTHENTICATED),
    (foreign_key, UNAUTHENTICATED),
    (wrong_secret, UNAUTHENTICATED),
    (expired_key, UNAUTHENTICATED),
    (revoked_key, UNAUTHENTICATED),
    (expired_token, UNAUTHENTICATED),
    (foreign_token, UNAUTHENTICATED),
    (key_of_another_scope, DENIED),
    (token_of_another_scope, DENIED),
    (key_of_another_tenant, DENIED),
    (right_key, LET_IN),
    (right_token, LET_IN),
]


def expected(credential: Credential, status: grpc.StatusCode, rule: Rule, *, pushes: bool) -> grpc.StatusCode:
    """The status of a cell; the session token of an upload is in its first message: the service checks it."""
    if credential is none and rule.session_token and pushes:
        return LET_IN
    return status


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize(("credential", "status"), MATRIX, ids=[each.__name__ for each, _ in MATRIX])
async def test_each_rpc_answers_a_credential_as_its_rule_says(
    credential: Credential, status: grpc.StatusCode, tmp_path: Path
) -> None:
    keys, issuer = KeyFile(tmp_path / "keys.json"), Issuer()
    (tmp_path / "jwks.json").write_bytes(issuer.key_set())
    cells = []
    for descriptor in all_methods():
        method = method_of(descriptor)
        rule = rule_of(method.service, method.name)
        assert rule is not None
        wanted = expected(credential, status, rule, pushes=method.request_streaming)
        cells.append((method, bearer(credential(keys, issuer, rule)), wanted))
    keys.key("acme")  # also where no credential is a key of this file
    async with (
        door_server(settings(tmp_path)) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        found = await asyncio.gather(*(status_of_call(channel, method, sent) for method, sent, _ in cells))
    wrong = {
        f"{method.service}/{method.name}": (got, wanted)
        for (method, _, wanted), got in zip(cells, found, strict=True)
        if got is not wanted
    }
    assert len(found) > 80
    assert not wrong


@pytest.mark.requirement("R-OP5")
async def test_what_is_of_no_single_tenant_needs_a_credential_of_all(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("acme", "*")
    (tmp_path / "jwks.json").write_bytes(Issuer().key_set())
    methods = [method_of(each) for each in all_methods()]
    suites = [one for one in methods if (rule := rule_of(one.service, one.name)) and rule.all_tenants]
    async with door_server(settings(tmp_path)) as address, grpc.aio.insecure_channel(address) as channel:
        found = {await status_of_call(channel, method, bearer(text)) for method in suites}
    assert len(suites) >= 8
    assert found == {DENIED}


@pytest.mark.requirement("R-OP5")
async def test_health_is_told_to_anybody_and_reflection_to_callers_only(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("acme", "events.read")
    (tmp_path / "jwks.json").write_bytes(Issuer().key_set())
    health = "/grpc.health.v1.Health/Check"
    reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

    async def reflect(metadata: tuple[tuple[str, str], ...]) -> grpc.StatusCode:
        open_stream: Any = channel.stream_stream(reflection)
        call = open_stream(metadata=metadata)
        await call.done_writing()
        code: grpc.StatusCode = await call.code()
        return code

    async with door_server(settings(tmp_path)) as address, grpc.aio.insecure_channel(address) as channel:
        check: Any = channel.unary_unary(health)
        assert await check(b"") == b"\x08\x01"
        assert await reflect(()) is UNAUTHENTICATED
        assert await reflect(bearer(text)) is grpc.StatusCode.OK


@pytest.mark.requirement("R-CA10")
async def test_a_session_token_is_enough_only_where_the_rule_says_so(
    tmp_path: Path,
) -> None:
    KeyFile(tmp_path / "keys.json").key("acme")
    (tmp_path / "jwks.json").write_bytes(Issuer().key_set())
    asked = capture.GetSessionRequest(session_id="ses_1", session_token="x" * 43).SerializeToString()
    async with door_server(settings(tmp_path)) as address, grpc.aio.insecure_channel(address) as channel:
        found = {
            method.name: await status_of_call(channel, method, (), asked)
            for method in map(method_of, all_methods())
            if method.service.endswith("CaptureService") and not method.streaming
        }
    assert found["GetSession"] is LET_IN
    assert found["CreateSession"] is UNAUTHENTICATED
    assert found["ListSessions"] is UNAUTHENTICATED
    assert found["GetSessionEvidence"] is UNAUTHENTICATED


@pytest.mark.requirement("R-OP5")
async def test_a_key_may_come_as_x_api_key_too(tmp_path: Path) -> None:
    text = KeyFile(tmp_path / "keys.json").key("acme", "events.*")
    (tmp_path / "jwks.json").write_bytes(Issuer().key_set())
    publish = next(method for method in map(method_of, all_methods()) if method.name == "Publish")
    async with door_server(settings(tmp_path)) as address, grpc.aio.insecure_channel(address) as channel:
        assert await status_of_call(channel, publish, (("x-api-key", text),)) is LET_IN


@pytest.mark.requirement("R-OP5")
async def test_a_credential_of_all_tenants_names_the_one_it_means(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    everybody, acme = keys.key("*"), keys.key("acme")
    (tmp_path / "jwks.json").write_bytes(Issuer().key_set())
    publish = next(method for method in map(method_of, all_methods()) if method.name == "Publish")
    named = {"": DENIED, "acme": LET_IN, "globex": LET_IN, "elsewhere": DENIED}
    async with door_server(settings(tmp_path)) as address, grpc.aio.insecure_channel(address) as channel:
        for tenant, status in named.items():
            metadata = (*bearer(everybody), ("vidence-tenant", tenant))
            assert await status_of_call(channel, publish, metadata) is status
        other = (*bearer(acme), ("vidence-tenant", "globex"))
        assert await status_of_call(channel, publish, other) is DENIED


def settings(folder: Path) -> AccessSettings:
    return AccessSettings(
        mode="on",
        tenants=("acme", "globex"),
        keys_file=folder / "keys.json",
        jwt=JwtSettings(jwks_file=folder / "jwks.json", issuer=ISSUER),
    )
