"""Settings: sections with defaults, a TOML file over them, the environment over both. Built once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from vidence_server.core.errors import DomainError, Reason

ENVIRONMENT_PREFIX = "VIDENCE_"
_DELIMITER = "__"


class Section(BaseModel):
    """Base of every group of settings. Frozen; an unknown key is an error.

    An empty text unsets a setting that may be unset: TOML and the environment have no other word for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        empty = {name for name, value in values.items() if value == "" and _may_be_unset(cls, name)}
        return {name: None if name in empty else value for name, value in values.items()}


def _may_be_unset(section: type[BaseModel], name: str) -> bool:
    field: FieldInfo | None = section.model_fields.get(name)
    return field is not None and NoneType in get_args(field.annotation)


S = TypeVar("S", bound=Section)


class ServerSettings(Section):
    """The gRPC server."""

    host: str = Field("127.0.0.1", description="Address to listen on, or `unix:PATH` for a socket file.")
    port: int = Field(50051, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    max_message_bytes: int = Field(24 * 2**20, ge=2**10, description="Largest message, either way, bytes.")
    max_streams: int = Field(1000, ge=1, description="Open streams per service; the next is refused.")
    max_streams_per_connection: int = Field(1000, ge=1, description="Open calls on one HTTP/2 connection.")
    max_pending_calls: int = Field(
        10_000, ge=1, description="Calls that may wait for the server to accept them before some are refused."
    )
    stream_buffer: int = Field(
        64, ge=1, description="Messages kept for a slow reader before its source waits."
    )
    heartbeat_period_s: float = Field(
        30, gt=0, description="A silent stream shows that it is alive this often."
    )
    retry_delay_s: float = Field(3, ge=0, description="How long clients are told to wait before they retry.")
    drain_grace_s: float = Field(10, ge=0, description="Time that running calls get to finish at a stop.")
    drain_accept_s: float = Field(
        0.5,
        ge=0,
        description="Time for which unary calls are still answered after the streams ended, at a stop.",
    )
    keepalive_time_s: float = Field(20, gt=0, description="Silence after which a peer is pinged.")
    keepalive_timeout_s: float = Field(10, gt=0, description="Silence after a ping that ends the connection.")
    min_ping_interval_s: float = Field(5, ge=0, description="Clients that ping more often than this are cut.")
    max_connection_age_s: float | None = Field(
        None, gt=0, description="Age at which connections are renewed (± 10 %); unset: never."
    )
    max_connection_age_grace_s: float = Field(
        60, ge=0, description="Time an aged connection's calls get to end."
    )
    reflection: bool = Field(
        default=True, description="Whether clients may ask for the services' descriptors."
    )
    validate_responses: bool = Field(
        default=False, description="Checks outgoing messages too; a wrong one fails its call. For tests."
    )


class LogSettings(Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level logged."
    )
    format: Literal["json", "console", "auto"] = Field(
        "auto", description="`auto`: console in a terminal, JSON lines elsewhere."
    )


class MetricsSettings(Section):
    """The Prometheus endpoint, `GET /metrics`."""

    enabled: bool = Field(default=True, description="Whether metrics are served by HTTP.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9464, ge=0, le=65535, description="TCP port; 0 takes any free one.")


def load_settings(
    model: type[S],
    *,
    config: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> S:
    """Builds settings: `overrides` over `VIDENCE_<SECTION>__<KEY>` over the TOML file over defaults.

    Args:
        model: A section whose fields are the sections of the process.
        config: TOML file with one table per section; None for none.
        environ: The environment. Variables of sections that `model` does not have belong to other processes
            and are left alone; lists and objects are written as JSON.
        overrides: Nested like `model`; what the command line said.

    Raises:
        DomainError: `CONFIGURATION_INVALID`; the message lists every problem.
    """
    problems: list[str] = []
    merged = _read_file(config, problems)
    _merge(merged, _from_environment(model, environ))
    _merge(merged, overrides or {})
    try:
        settings = model.model_validate(merged)
    except ValidationError as error:
        problems += [_describe(item) for item in error.errors(include_input=False, include_url=False)]
    else:
        if not problems:
            return settings
    listed = "".join(f"\n  {problem}" for problem in problems)
    raise DomainError(Reason.CONFIGURATION_INVALID, f"The settings are invalid:{listed}")


def show_settings(settings: Section) -> str:
    """The settings in force as TOML with a comment per key, for `vidence config show`. Secrets are masked."""
    lines: list[str] = []
    _show(settings, (), lines)
    return "\n".join(lines).strip() + "\n"


def _read_file(config: Path | None, problems: list[str]) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        with config.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        problems.append(f"{config}: {error.strerror or 'cannot be read'}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{config}: not TOML: {error}")
    return {}


def _from_environment(model: type[Section], environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in sorted(environ.items()):
        section, *keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split(_DELIMITER)
        if not name.startswith(ENVIRONMENT_PREFIX) or not keys or section not in model.model_fields:
            continue
        _merge(found, _nested((section, *keys), _parsed(value)))
    return found


def _parsed(value: str) -> Any:
    if not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _nested(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]  # a path has at least one key, so this is the outermost dict


def _merge(base: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, Mapping):
            if not isinstance(base.get(key), dict):
                base[key] = {}
            _merge(base[key], value)
        else:
            base[key] = value


def _describe(item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"]) or "settings"
    variable = ENVIRONMENT_PREFIX + _DELIMITER.join(str(part).upper() for part in item["loc"])
    what = "no such setting" if item["type"] == "extra_forbidden" else item["msg"]
    return f"{path} ({variable}): {what}"


def _show(section: Section, path: tuple[str, ...], lines: list[str]) -> None:
    nested = {name: value for name, value in section if isinstance(value, Section)}
    if path:
        lines += ["", f"[{'.'.join(path)}]"]
    for name, value in section.model_dump(mode="json").items():
        if name in nested:
            continue
        description = type(section).model_fields[name].description
        lines += [f"# {description}"] if description else []
        # JSON's strings, numbers, booleans and lists are TOML's too; TOML has no null.
        lines.append(f"# {name} is unset" if value is None else f"{name} = {json.dumps(value)}")
    for name, value in nested.items():
        _show(value, (*path, name), lines)
