"""The models that Vidence knows, as data: what they are, where they come from, how they are fed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.builds import Build, ModelCheck, read_build, read_check

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCHEMA = 1

ONNX = "onnx"
"""The format of a file that a session runs."""


@dataclass(frozen=True, slots=True)
class PypiPackage:
    """A wheel of the Python package index; `sha256` is that of the wheel."""

    name: str
    version: str
    sha256: str
    platform: str = ""
    """Of a wheel that is made for one platform, such as `manylinux_2_28_x86_64`; empty: for any."""
    python: str = ""
    """Of such a wheel: the CPython version, such as `3.11`; nothing of it runs here."""


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A tarball of the npm registry; `sha256` is that of the tarball."""

    name: str
    version: str
    sha256: str


Archive: TypeAlias = PypiPackage | NpmPackage


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One file inside a package."""

    archive: Archive
    member: str

    def __str__(self) -> str:
        kind = "pypi" if isinstance(self.archive, PypiPackage) else "npm"
        return f"{kind} {self.archive.name}=={self.archive.version}"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file behind an http or https address."""

    url: str

    def __str__(self) -> str:
        # Without user, password and query: they may be credentials.
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"


Source: TypeAlias = ArchiveMember | LocalFile | RemoteFile


@dataclass(frozen=True, slots=True)
class Licence:
    """An SPDX expression, and who says so."""

    spdx: str
    origin: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model, or a file that belongs to one.

    `inputs`, `outputs` and `preprocessing` are words for people; the session has the facts.
    """

    name: str
    title: str
    source: Source
    sha256: str
    """Of the source file; that is the model's file unless it is built."""
    size_bytes: int | None
    """Of the source file; None for a model of the user's own."""
    licence: Licence
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    preprocessing: str
    max_batch: int
    """Largest axis 0 of one run."""
    warm_up_shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    format: str = ONNX
    """Suffix of the file; anything but `onnx` is no graph and has no session: a vocabulary, for one."""
    build: Build | None = None
    """None: the source file is used as it is."""
    checks: tuple[ModelCheck, ...] = ()
    """What the built file must answer."""


@dataclass(frozen=True, slots=True)
class ModelOverride:
    """A user's own file in the place of a registered model: exactly one of `path` and `url`, always `sha256`.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """

    sha256: str
    path: Path | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.url is None):
            raise DomainError(Reason.CONFIGURATION_INVALID, "A model override names either a path or a URL.")
        if not _SHA256.fullmatch(self.sha256):
            raise DomainError(
                Reason.CONFIGURATION_INVALID,
                "The sha256 of a model override must be 64 lower-case hex digits.",
            )
        if self.url is not None and urlsplit(self.url).scheme not in ("http", "https"):
            raise DomainError(
                Reason.CONFIGURATION_INVALID, "The URL of a model override must be http or https."
            )

    @classmethod
    def parse(cls, text: str) -> ModelOverride:
        """Reads `PATH_OR_URL#sha256=HEX`.

        Raises:
            DomainError: CONFIGURATION_INVALID.
        """
        place, _, sha256 = text.partition("#sha256=")
        if urlsplit(place).scheme in ("http", "https"):
            return cls(sha256=sha256, url=place)
        return cls(sha256=sha256, path=Path(place))

    @property
    def source(self) -> LocalFile | RemoteFile:
        """Where the file is."""
        return LocalFile(self.path) if self.path is not None else RemoteFile(self.url or "")


class ModelRegistry:
    """Models by name; iterating gives them in the order of the file."""

    def __init__(self, specs: Mapping[str, ModelSpec]) -> None:
        self._specs = dict(specs)

    def __getitem__(self, name: str) -> ModelSpec:
        """The model of this name.

        Raises:
            DomainError: MODEL_UNKNOWN, with the known names.
        """
        try:
            return self._specs[name]
        except KeyError:
            raise DomainError(
                Reason.MODEL_UNKNOWN, f"No model is called {name!r}; known: {', '.join(self._specs)}."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def with_overrides(self, overrides: Mapping[str, ModelOverride]) -> ModelRegistry:
        """The same registry with files of the user's own, used as they are.

        How they are fed and batched stays as registered.

        Raises:
            DomainError: MODEL_UNKNOWN.
        """
        changed = dict(self._specs)
        for name, override in overrides.items():
            changed[name] = replace(
                self[name],
                source=override.source,
                sha256=override.sha256,
                size_bytes=None,
                licence=Licence("LicenseRef-operator", "the operator of this server"),
                build=None,
                checks=(),
            )
        return ModelRegistry(changed)


def load_registry() -> ModelRegistry:
    """The registry that this package ships."""
    text = resources.files(__package__).joinpath("registry.toml").read_text(encoding="utf-8")
    return parse_registry(text)


def parse_registry(text: str) -> ModelRegistry:
    """Reads the TOML form of a registry.

    Raises:
        DomainError: CONFIGURATION_INVALID, naming the model and what is wrong.
    """
    try:
        data = tomllib.loads(text)
        if data["schema"] != _SCHEMA:
            raise ValueError(f"schema {data['schema']} is not {_SCHEMA}")
        archives = {name: _archive(entry) for name, entry in data.get("archives", {}).items()}
        return ModelRegistry({name: _spec(name, entry, archives) for name, entry in data["models"].items()})
    except (KeyError, TypeError, ValueError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"The model registry is wrong: {type(error).__name__}: {error}"
        ) from error


def _spec(name: str, entry: Mapping[str, Any], archives: Mapping[str, Archive]) -> ModelSpec:
    kind = entry.get("format", ONNX)
    graph = entry if kind == ONNX else {**_NO_GRAPH, **entry}
    return ModelSpec(
        name=name,
        title=entry["title"],
        source=_source(entry["source"], archives),
        sha256=_sha256(entry["sha256"]),
        size_bytes=int(entry["size_bytes"]),
        licence=Licence(**entry["licence"]),
        inputs=tuple(graph["inputs"]),
        outputs=tuple(graph["outputs"]),
        preprocessing=graph["preprocessing"],
        max_batch=int(graph["max_batch"]),
        warm_up_shapes=tuple(
            {key: tuple(shape) for key, shape in shapes.items()} for shapes in graph["warm_up"]
        ),
        format=kind,
        build=read_build(entry["build"]) if "build" in entry else None,
        checks=tuple(map(read_check, entry.get("checks", ()))),
    )


_NO_GRAPH: Mapping[str, Any] = {
    "inputs": (),
    "outputs": (),
    "preprocessing": "",
    "max_batch": 1,
    "warm_up": (),
}
"""What an entry need not say that is no graph."""


def _source(entry: Mapping[str, str], archives: Mapping[str, Archive]) -> Source:
    match entry:
        case {"archive": archive, "member": member}:
            return ArchiveMember(archives[archive], member)
        case {"path": path}:
            return LocalFile(Path(path))
        case {"url": url}:
            return RemoteFile(url)
    raise ValueError(f"a source is an archive with a member, a path or a url, not {sorted(entry)}")


def _archive(entry: Mapping[str, str]) -> Archive:
    pinned = (entry["name"], entry["version"], _sha256(entry["sha256"]))
    match entry["kind"]:
        case "pypi":
            return PypiPackage(*pinned, platform=entry.get("platform", ""), python=entry.get("python", ""))
        case "npm":
            return NpmPackage(*pinned)
        case other:
            raise ValueError(f"{other!r} is no kind of archive")


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise ValueError(f"{text!r} is no sha256")
    return text
