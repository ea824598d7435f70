"""Credentials for tests: files of keys, an issuer of tokens, certificates; and a server that checks them."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from vidence_server.access.api_keys import ApiKey, new_key, random_bytes, revoked, write_keys
from vidence_server.bridge.contract import descriptor_bytes
from vidence_server.core.clock import Clock, SystemClock
from vidence_server.core.ids import IdFactory
from vidence_server.runtime.access_opening import make_guard
from vidence_server.runtime.access_settings import AccessSettings
from vidence_server.runtime.metrics import Metrics
from vidence_server.runtime.rpc import Method
from vidence_server.runtime.server import RpcServer
from vidence_server.runtime.settings import ServerSettings
from vidence_server.suite_settings import SuiteSettings


def _offered() -> tuple[str, ...]:
    """Every service in the protos, each registered with the pool of descriptors."""
    found = []
    for file in FileDescriptorSet.FromString(descriptor_bytes()).file:
        if file.package.startswith("vidence.") and file.service:
            import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
            found += [f"{file.package}.{service.name}" for service in file.service]
    return tuple(found)


SERVICES = _offered()
ISSUER = "https://issuer.test"


@dataclass
class KeyFile:
    """A file of keys that a test writes."""

    path: Path
    keys: list[ApiKey] = field(default_factory=list)

    def key(self, tenant: str, *scopes: str, life_s: float | None = None) -> str:
        """Makes a key; its text."""
        now = datetime.now(UTC)
        expire_time = None if life_s is None else now + timedelta(seconds=life_s)
        key, text = new_key(
            secrets.token_bytes(random_bytes()),
            tenant=tenant,
            scopes=scopes or ("*",),
            now=now,
            expire_time=expire_time,
        )
        self.keys.append(key)
        write_keys(self.path, self.keys)
        return text

    def revoke(self, text: str) -> None:
        """Takes a key back."""
        key_id = text.removeprefix("vk_").partition(".")[0]
        self.keys = revoked(self.keys, key_id, datetime.now(UTC))
        write_keys(self.path, self.keys)


@dataclass
class Issuer:
    """Signs tokens, and publishes its public key."""

    key_id: str = "one"
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def key_set(self) -> bytes:
        """The JWKS."""
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key()))
        return json.dumps({"keys": [{**public, "kid": self.key_id, "alg": "ES256", "use": "sig"}]}).encode()

    def token(self, tenant: str = "acme", scope: object = "events.read", **claims: Any) -> str:
        """A token, good for an hour where the claims do not say else; a claim that is None is left out."""
        said = {
            "iss": ISSUER,
            "aud": "vidence",
            "sub": "someone",
            "exp": datetime.now(UTC) + timedelta(hours=1),
            "tenant": tenant,
            "scope": scope,
            **claims,
        }
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, self.private, algorithm="ES256", headers={"kid": self.key_id})


def bearer(text: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a credential."""
    return (("authorization", f"Bearer {text}"),) if text else ()


def service_of(name: str) -> ServiceDescriptor:
    return descriptor_pool.Default().FindServiceByName(name)


def all_methods() -> list[MethodDescriptor]:
    """Every RPC of the suite."""
    return [method for name in SERVICES for method in service_of(name).methods]


@asynccontextmanager
async def door_server(access: AccessSettings, **settings: Any) -> AsyncIterator[str]:
    """A real server with every RPC of the suite, behind its guard; whoever is let in gets UNIMPLEMENTED."""
    async with guarded_server(access, {name: unserved(name) for name in SERVICES}, **settings) as server:
        yield server.address


@asynccontextmanager
async def guarded_server(
    access: AccessSettings,
    services: Mapping[str, Callable[[grpc.aio.Server], None]],
    *,
    guard_clock: Clock | None = None,
    credentials: grpc.ServerCredentials | None = None,
    **settings: Any,
) -> AsyncIterator[RpcServer]:
    """A real server with a guard."""
    clock = SystemClock()
    guard = make_guard(access, guard_clock or clock)
    assert guard is not None
    server = RpcServer(
        ServerSettings(port=0, drain_accept_s=0, **settings),
        metrics=Metrics(version="0.0.0"),
        clock=clock,
        ids=IdFactory(clock),
        guard=guard,
        credentials=credentials,
    )
    for name, add in services.items():
        # What a caller may is decided before anybody looks at what is asked.
        server.register(name, add, self_checked=[method.name for method in service_of(name).methods])
    async with guard, server:
        for name in services:
            await server.mark_ready(name)
        yield server


async def let_in(request: Any, context: Any) -> Any:
    """Answers whoever was let in."""
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "let in")


def unserved(name: str, answer: Callable[[Any, Any], Any] = let_in) -> Callable[[grpc.aio.Server], None]:
    """Adds a service that has one answer to everything."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }

    def add(server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            method.name: make[method.client_streaming, method.server_streaming](
                answer, request_deserializer=message_factory.GetMessageClass(method.input_type).FromString
            )
            for method in service_of(name).methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))

    return add


async def status_of_call(
    channel: grpc.aio.Channel,
    method: Method,
    metadata: tuple[tuple[str, str], ...],
    request: bytes = b"",
) -> grpc.StatusCode:
    """How a call ends that sends one message; a stream that begins is cancelled and counts as OK."""
    path = f"/{method.service}/{method.name}"

    async def requests() -> AsyncIterator[bytes]:
        yield request

    try:
        if method.response_streaming:
            open_stream: Any = channel.stream_stream(path)
            stream = open_stream(requests(), metadata=metadata, timeout=60)
            first = await stream.read()
            stream.cancel()
            return await stream.code() if first is grpc.aio.EOF else grpc.StatusCode.OK
        upload: Any = channel.stream_unary(path)
        await upload(requests(), metadata=metadata, timeout=60)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def method_of(descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service.full_name
    return Method(service, descriptor.name, descriptor.client_streaming, descriptor.server_streaming)


def suite_settings(folder: Path, **access: Any) -> SuiteSettings:
    """Of a suite in the test's own process, that checks credentials."""
    return SuiteSettings.model_validate(
        {
            "server": {"port": 0, "drain_accept_s": 0, "validate_responses": True},
            "metrics": {"enabled": False},
            "storage": {"data_dir": folder},
            "access": {"mode": "on", "check_period_s": 0.05, **access},
        }
    )
