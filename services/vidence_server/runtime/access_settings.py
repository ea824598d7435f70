"""Settings of who may call, and of TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.runtime.settings import Section


class GrantSettings(Section):
    """What the holder of a client certificate may."""

    tenant: str = Field(description="Whose data; `*`: of the tenant that each call names.")
    scopes: tuple[str, ...] = Field(description="What is granted: `events.read`, `events.*`, `*`.")


class JwtSettings(Section):
    """JSON Web Tokens as credentials."""

    jwks_file: Path | None = Field(None, description="File of the issuer's public keys (JWKS).")
    jwks_url: str | None = Field(None, description="Where they are fetched instead, `https://…`.")
    refresh_s: float = Field(300, gt=0, description="Age at which the keys are read again.")
    issuer: str = Field("", description="What `iss` must be.")
    audience: str = Field("vidence", description="What `aud` must hold.")
    tenant_claim: str = Field("tenant", description="Claim that names the tenant.")
    scope_claim: str = Field(
        "scope", description="Claim that lists scopes, with spaces between or as a list."
    )
    leeway_s: float = Field(30, ge=0, le=300, description="By which clocks may differ.")


class AccessSettings(Section):
    """Who may call. With `mode` on, every call needs a credential but health checks."""

    mode: Literal["on", "off"] = Field(
        "off", description="`on`: calls need a credential; `off`: none, which is for the loopback only."
    )
    insecure: bool = Field(
        default=False,
        description="Lets a server with `mode` off listen to the network: whoever reaches it may all.",
    )
    tenants: tuple[str, ...] = Field(
        (DEFAULT_TENANT,), min_length=1, description="Whose data the services keep apart; fixed at the start."
    )
    keys_file: Path | None = Field(
        None, description="API keys, as `vidence keys` writes them; read again when it changes."
    )
    jwt: JwtSettings = JwtSettings()
    certificates: dict[str, GrantSettings] = Field(
        {}, description="What client certificates grant, by URI, DNS or common name of their subject."
    )
    own_key_file: Path | None = Field(
        None, description="File of the API key with which this process calls other services; of all tenants."
    )
    calls_per_s: float | None = Field(
        None, gt=0, description="Calls per second and caller in the long run; unset: any number."
    )
    calls_burst: int = Field(100, ge=1, description="Calls that a caller may make at once after a rest.")
    open_calls: int | None = Field(
        None, ge=1, description="Calls, streams among them, that a caller may have open; unset: any number."
    )
    check_period_s: float = Field(
        1, gt=0, description="How often files of keys are looked at, and open streams' credentials."
    )
    audit: Literal["none", "refused", "all"] = Field(
        "all", description="Which calls get an `audit` line in the log: who, which RPC, how it ended."
    )
    audit_tenant: str | None = Field(
        None,
        description="Tenant of the operators, on whose bus `audit.*` events tell of refused calls, and with "
        "`audit` all of calls that change something; unset: none.",
    )


class TlsSettings(Section):
    """TLS of the gRPC port, and of calls to other services."""

    certificate: Path | None = Field(
        None, description="PEM chain of the server; read again when it changes. Unset: plaintext."
    )
    key: Path | None = Field(None, description="PEM key of `certificate`; needed with it.")
    client_ca: Path | None = Field(
        None, description="PEM certificates that sign those of clients; then clients may show one."
    )
    require_client_certificate: bool = Field(
        default=False, description="Refuses connections without a client certificate; needs `client_ca`."
    )
    insecure: bool = Field(
        default=False,
        description="Lets a server without TLS listen to the network, behind a proxy or mesh that has it.",
    )
    peer_ca: Path | None = Field(
        None, description="PEM certificates that sign those of other services; calls to them use TLS then."
    )
