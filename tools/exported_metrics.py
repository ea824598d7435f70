"""What the components of the suite export as metrics, read from the types of their statistics.

`runtime.statistics_export` makes metrics of whatever a component counts; this says beforehand which.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from vidence_server.runtime.statistics_export import metric_name

SERVICES = Path(__file__).resolve().parent.parent / "services"
_RELAY = "vidence_server.storage.relay:RelayStatistics"
_LOGS = "vidence_server.runtime.service_logs:ServiceLogsStatistics"
COMPONENTS: Mapping[str, tuple[str, str]] = {
    "server": ("vidence_server.runtime.interceptors.admission:AdmissionStatistics", ""),
    "result_streams": ("vidence_server.runtime.stream_servicer:StreamStatistics", ""),
    "watch_streams": ("vidence_server.runtime.watch_streams:WatchStatistics", ""),
    "tracing": (
        "vidence_server.runtime.tracing_export:TracingStatistics",
        "vidence_server.runtime.tracing:SPAN_COUNTERS",
    ),
    "engine": (
        "vidence_server.inference.scheduler:EngineStatistics",
        "vidence_server.suite.models:ENGINE_COUNTERS",
    ),
    "access": (
        "vidence_server.runtime.access_guard:GuardStatistics",
        "vidence_server.suite.opening:_ACCESS_COUNTERS",
    ),
    "audit": (
        "vidence_server.runtime.audit_events:AuditStatistics",
        "vidence_server.suite.opening:_AUDIT_COUNTERS",
    ),
    "encryption": (
        "vidence_server.encryption.sealing:SealingStatistics",
        "vidence_server.suite.at_rest:_COUNTERS",
    ),
    "bus": ("vidence_server.event.app:_Buses", "vidence_server.event.app:_BROADCAST_COUNTERS"),
    "extraction_runs": (
        "vidence_server.extraction.store:RunStoreStatistics",
        "vidence_server.suite.extraction:_RUN_COUNTERS",
    ),
    "extraction_relay": (_RELAY, "vidence_server.suite.extraction:_RELAY_COUNTERS"),
    "capture": ("vidence_server.capture.book:CaptureStatistics", "vidence_server.capture.app:_COUNTERS"),
    "capture_relay": (_RELAY, "vidence_server.capture.app:_RELAY_COUNTERS"),
    "batch_relay": (_RELAY, "vidence_server.batch.app:_RELAY_COUNTERS"),
    "batch_logs": (_LOGS, ""),
    "batch_filer": (
        "vidence_server.batch.filer:FilerStatistics",
        "vidence_server.batch.app:_FILER_COUNTERS",
    ),
    "worker": (
        "vidence_server.batch.worker.worker:WorkerStatistics",
        "vidence_server.batch.app:_WORKER_COUNTERS",
    ),
    "library": (
        "vidence_server.library.service:LibraryStatistics",
        "vidence_server.library.app:_COUNTERS",
    ),
    "library_relay": (_RELAY, "vidence_server.library.app:_RELAY_COUNTERS"),
    "review_relay": (_RELAY, "vidence_server.review.app:_RELAY_COUNTERS"),
    "review_logs": (_LOGS, ""),
    "erasure_relay": (_RELAY, "vidence_server.erasure.app:_RELAY_COUNTERS"),
    "bridge": (
        "vidence_server.bridge.statistics:BridgeStatistics",
        "vidence_server.bridge.statistics:COUNTERS",
    ),
    "monitor": ("vidence_server.monitor.service:MonitorStatistics", "vidence_server.monitor.app:_COUNTERS"),
    "monitor_journal": (
        "vidence_server.monitor.store:JournalStatistics",
        "vidence_server.monitor.app:_JOURNAL_COUNTERS",
    ),
    "monitor_relay": (_RELAY, "vidence_server.monitor.app:_RELAY_COUNTERS"),
}
"""By the name under which it is exported: the type of its statistics, and which of their fields only grow."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A metric.

    Attributes:
        name: As Prometheus has it, `_total` too.
        kind: `counter` or `gauge`.
        labels: Their names.
        words: What it is; empty where its field says no more than its name.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    words: str


def exported() -> list[Exported]:
    """All metrics of components, by name.

    Raises:
        ValueError: The code exports a component that `COMPONENTS` does not have, or the other way round.
    """
    in_code = _exported_in_code()
    if in_code != COMPONENTS.keys():
        raise ValueError(f"COMPONENTS and the code disagree on {sorted(in_code ^ COMPONENTS.keys())}")
    found = []
    for component, (statistics, counters) in COMPONENTS.items():
        growing = frozenset(_named(counters)) if counters else frozenset[str]()
        for name, field, labels, words in _metrics(f"vidence_{component}", _named(statistics), (), "", ""):
            grows = field in growing
            found.append(
                Exported(f"{name}_total" if grows else name, "counter" if grows else "gauge", labels, words)
            )
    return sorted(found, key=lambda one: one.name)


def _exported_in_code() -> set[str]:
    """The components that are exported anywhere, by their names there."""
    call = re.compile(r"metrics\.export\(\s*\"([a-z_]+)\"")
    return {
        name for path in SERVICES.rglob("*.py") for name in call.findall(path.read_text(encoding="utf-8"))
    }


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _metrics(
    name: str, kind: Any, labels: tuple[str, ...], field: str, words: str
) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """As `statistics_export.samples`, for a type in the place of a value."""
    if get_origin(kind) in {Union, types.UnionType}:
        for member in get_args(kind):
            yield from _metrics(name, member, labels, field, words)
    elif kind in {int, float, bool}:
        yield name, field, labels, words
    elif isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        label = field.removesuffix("s") or "name"
        yield from _metrics(name.removesuffix("s"), get_args(kind)[1], (*labels, label), field, words)
    elif is_dataclass(kind):
        hints, told = get_type_hints(kind), _words(kind)
        for member in fields(kind):
            own = f"{name}_{metric_name(member.name)}"
            yield from _metrics(own, hints[member.name], labels, member.name, told.get(member.name, words))


def _words(kind: Any) -> dict[str, str]:
    """What a dataclass says of its fields: under `Attributes:`, or below each."""
    told: dict[str, str] = {}
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    for name, words in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", listed, re.MULTILINE):
        told[name] = " ".join(words.split())
    body = getattr(ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0], "body", [])
    for one, after in pairwise(body):
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            told[one.target.id] = " ".join(str(after.value.value).split())
    return told
