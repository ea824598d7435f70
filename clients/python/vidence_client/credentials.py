"""How a client shows who it is, and how it knows the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc

C = TypeVar("C")
_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_PATHS = {"ca": "VIDENCE_CA", "certificate": "VIDENCE_CERT", "key": "VIDENCE_CERT_KEY"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What calls carry. With `ca` or a certificate the connection uses TLS; without, it is plaintext.

    Attributes:
        api_key: A key of `vidence keys create`.
        token: A JSON Web Token, or a function that gives a fresh one for each call.
        tenant: Whose data, for credentials of all tenants.
        ca: PEM certificates that sign the server's; with `tls` and without them: those that gRPC brings.
        certificate: PEM chain of the client, for mutual TLS.
        key: PEM key of `certificate`.
        tls: Whether to use TLS where neither `ca` nor `certificate` says so.
    """

    api_key: str = ""
    token: str | Callable[[], str] = ""
    tenant: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    tls: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Credentials:
        """Reads VIDENCE_API_KEY, _TOKEN, _TENANT, _CA, _CERT and _CERT_KEY."""
        paths = {name: Path(environ[variable]) for name, variable in _PATHS.items() if environ.get(variable)}
        return cls(
            api_key=environ.get("VIDENCE_API_KEY", ""),
            token=environ.get("VIDENCE_TOKEN", ""),
            tenant=environ.get("VIDENCE_TENANT", ""),
            ca=paths.get("ca"),
            certificate=paths.get("certificate"),
            key=paths.get("key"),
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries."""
        token = self.token() if callable(self.token) else self.token
        carried = {
            "x-api-key": self.api_key,
            "authorization": f"Bearer {token}" if token else "",
            "vidence-tenant": self.tenant,
        }
        return tuple((name, value) for name, value in carried.items() if value)

    def secure(self) -> grpc.ChannelCredentials | None:
        """What the connection is made with; None: plaintext. Raises `OSError` where a file cannot be read."""
        if not (self.tls or self.ca or self.certificate):
            return None
        ca, key, chain = (
            None if path is None else path.read_bytes() for path in (self.ca, self.key, self.certificate)
        )
        return grpc.ssl_channel_credentials(ca, key, chain)

    def __repr__(self) -> str:
        return "Credentials(…)"


def open_channel(
    address: str, options: Sequence[tuple[str, Any]], credentials: Credentials | None
) -> grpc.aio.Channel:
    """A channel whose calls carry the credentials."""
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    secure = credentials.secure()
    if secure is None or address.startswith("unix:"):
        return carrying(grpc.aio.insecure_channel(address, options=options), credentials)
    return carrying(grpc.aio.secure_channel(address, secure, options=options), credentials)


def open_sync_channel(
    address: str, options: Sequence[tuple[str, Any]], credentials: Credentials
) -> grpc.Channel:
    """The same for code without an event loop."""
    secure = credentials.secure()
    if secure is None or address.startswith("unix:"):
        return carrying(grpc.insecure_channel(address, options=options), credentials)
    return carrying(grpc.secure_channel(address, secure, options=options), credentials)


def carrying(channel: C, credentials: Credentials) -> C:
    """The channel, with the credentials in the metadata of each call."""
    if not credentials.metadata():
        return channel
    return cast(C, _Carrying(channel, credentials))


class _Carrying:
    """A channel; gRPC's own interceptors would stand in the way of each message of a stream."""

    def __init__(self, channel: Any, credentials: Credentials) -> None:
        self._channel = channel
        self._credentials = credentials

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._channel, name)
        if name not in _KINDS:
            return found

        def prepared(*arguments: Any, **options: Any) -> Any:
            method = found(*arguments, **options)

            def call(request: Any = None, *, metadata: Any = None, **more: Any) -> Any:
                carried = (*self._credentials.metadata(), *(metadata or ()))
                asked = () if request is None else (request,)
                return method(*asked, metadata=carried, **more)

            return call

        return prepared

    async def __aenter__(self) -> Any:
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._channel.__aexit__(*error)
