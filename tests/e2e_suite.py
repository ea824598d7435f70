"""A real suite in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

START_LIMIT_S = 200.0
"""All models are loaded and have run once by then, also beside other tests on two cores."""


@dataclass
class LiveSuite:
    """A `vidence serve` process and what it logged."""

    process: subprocess.Popen[str]
    logs: list[dict[str, object]] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    reader: threading.Thread = field(init=False)
    data: tempfile.TemporaryDirectory[str] | None = None
    """Its data, where they are its own."""
    ended: bool = False
    """It says nothing more."""

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read_logs, daemon=True)
        self.reader.start()

    def read_logs(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            entry = json.loads(line) if line.startswith("{") else {"event": "raw", "text": line}
            self.logs.append(entry)
            if entry.get("event") == "ready" and self._all_ready():
                self.ready.set()
        self.ended = True
        self.ready.set()

    def _all_ready(self) -> bool:
        services = self.logged("listening")["services"]
        return isinstance(services, list) and len(services) == sum(
            e.get("event") == "ready" for e in self.logs
        )

    def logged(self, event: str) -> dict[str, object]:
        return next(entry for entry in self.logs if entry.get("event") == event)

    @property
    def address(self) -> str:
        return str(self.logged("listening")["address"])

    def metrics(self) -> dict[tuple[str, str], float]:
        """Sample name and the values of its labels, joined, → value."""
        with urllib.request.urlopen(str(self.logged("metrics")["url"]), timeout=60) as answer:  # noqa: S310 - http
            text = answer.read().decode()
        return {
            (sample.name, ",".join(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def start_suite(*arguments: str, environ: dict[str, str] | None = None) -> LiveSuite:
    data = None if "VIDENCE_DATA_DIR" in (environ or {}) else tempfile.TemporaryDirectory(prefix="vidence-")
    settings = {
        **({"VIDENCE_DATA_DIR": data.name} if data is not None else {}),
        "VIDENCE_SERVER__PORT": "0",
        "VIDENCE_METRICS__PORT": "0",
        "VIDENCE_LOG__FORMAT": "json",
        "VIDENCE_SERVER__VALIDATE_RESPONSES": "true",
        **(environ or {}),
    }
    command: Sequence[str] = [sys.executable, "-m", "vidence_server", "serve", *(arguments or ("all",))]
    process = subprocess.Popen(
        command, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    suite = LiveSuite(process, data=data)
    if not suite.ready.wait(START_LIMIT_S) or suite.ended:
        process.kill()  # it would go on, and nobody would end it
        raise AssertionError(f"the suite did not become ready, exit code {process.wait()}: {suite.logs}")
    return suite


def stop_suite(suite: LiveSuite) -> int:
    """Its exit code; killed where it does not end by itself."""
    suite.process.terminate()
    try:
        return suite.process.wait(30)
    finally:
        suite.process.kill()
        suite.process.wait()
        suite.reader.join()
        assert suite.process.stderr is not None
        suite.process.stderr.close()
        if suite.data is not None:
            suite.data.cleanup()
