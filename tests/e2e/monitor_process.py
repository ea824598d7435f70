"""`vidence monitor` in a process of its own, which a test may stop or kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

_COMMAND = (sys.executable, "-c", "from vidence_server.suite.monitor import monitor; monitor()")


class MonitorProcess:
    """One life of a monitor, what it logged and what it told.

    Args:
        data: Its folder.
        source: What it watches.
        bus: Address of the event service.
        arguments: Further ones.
    """

    def __init__(self, data: Path, source: Path | str, bus: str, *arguments: str) -> None:
        settings = {
            "VIDENCE_DATA_DIR": str(data),
            "VIDENCE_METRICS__PORT": "0",
            "VIDENCE_LOG__FORMAT": "json",
        }
        self.process = subprocess.Popen(
            [*_COMMAND, str(source), "--json", "--bus", bus, *arguments],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.events), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.logs), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, into: list[dict[str, Any]]) -> None:
        for line in stream:
            into.append(json.loads(line) if line.startswith("{") else {"event": "raw", "text": line})

    @property
    def types(self) -> list[str]:
        """Of the events that it told, in order."""
        return [event["type"] for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    @property
    def frames(self) -> float:
        """Frames that it has looked at."""
        url = next(entry["url"] for entry in self.logs if entry.get("event") == "metrics")
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - http
            lines = answer.read().decode().splitlines()
        return float(
            next(x for x in lines if x.startswith("vidence_monitor_frames_analysed_total")).split()[1]
        )

    def wait(self) -> int:
        """Waits for its end; the exit code."""
        try:
            return self.process.wait(60)
        finally:
            self.close()

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """Ends it, where it still runs, and reads what it left; again: nothing."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
