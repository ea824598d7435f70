"""What a server process uses: processor time and memory, from /proc or from its metrics."""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CPU = re.compile(r"^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_RSS = re.compile(r"^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_TIMEOUT_S = 5.0


class UsageUnknown(Exception):  # noqa: N818 - reads as what happened
    """The process or its metrics cannot be read."""


@dataclass(frozen=True, slots=True)
class UsageSample:
    """What a process used up to a moment: `time_s` on a monotonic clock, processor s, resident bytes."""

    time_s: float
    cpu_s: float
    rss_bytes: int


ReadUsage = Callable[[], UsageSample]


def usage_of_process(pid: int) -> ReadUsage:
    """Reads a process of this machine (Linux)."""
    folder = Path("/proc") / str(pid)
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    page_bytes = os.sysconf("SC_PAGE_SIZE")

    def read() -> UsageSample:
        try:
            # the name, field 2, may hold spaces; nothing after its last parenthesis does: proc_pid_stat(5)
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            raise UsageUnknown(f"there is no process {pid} to look at") from None
        cpu_s = (int(fields[11]) + int(fields[12])) / ticks_per_s
        return UsageSample(time.monotonic(), cpu_s, int(fields[21]) * page_bytes)

    return read


def usage_of_metrics(url: str) -> ReadUsage:
    """Reads `process_cpu_seconds_total` and `process_resident_memory_bytes` of a Prometheus endpoint.

    Raises:
        UsageUnknown: The address is not HTTP.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageUnknown("the address of metrics begins with http:// or https://")

    def read() -> UsageSample:
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked
                text = answer.read().decode()
        except (OSError, ValueError):
            raise UsageUnknown("the metrics cannot be read") from None
        cpu, rss = _CPU.search(text), _RSS.search(text)
        if cpu is None or rss is None:
            raise UsageUnknown("the metrics tell neither processor time nor memory (process_…)")
        return UsageSample(time.monotonic(), float(cpu[1]), int(float(rss[1])))

    return read


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used between the first and the last sample."""

    cpu_share: float
    """Processor s per s: 1.0 is one core."""
    cpu_s: float
    rss_start_bytes: int
    rss_end_bytes: int
    rss_peak_bytes: int


def usage_between(samples: list[UsageSample]) -> Usage | None:
    """Sums up samples in the order of time; None where there are fewer than two."""
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    cpu_s = last.cpu_s - first.cpu_s
    return Usage(
        cpu_share=cpu_s / max(1e-9, last.time_s - first.time_s),
        cpu_s=cpu_s,
        rss_start_bytes=first.rss_bytes,
        rss_end_bytes=last.rss_bytes,
        rss_peak_bytes=max(sample.rss_bytes for sample in samples),
    )
