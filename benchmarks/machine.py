"""Where a benchmark ran, so that its numbers can be judged."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("vidence", "onnxruntime", "opencv-python-headless", "numpy", "grpcio")


def description(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Processor, cores, memory, system, load of the last minute, versions of what measures."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load at the start": f"{os.getloadavg()[0]:.2f}",
        **{package: version(package) for package in packages},
    }


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor time so far, in seconds. Linux only: zeros elsewhere."""

    machine_busy_s: float
    machine_idle_s: float
    own_s: float
    """Of this process and its ended children."""

    @classmethod
    def now(cls) -> CpuTimes:
        """Reads the counters of the machine and of this process."""
        stat = Path("/proc/stat")
        if not stat.exists():
            return cls(0.0, 0.0, 0.0)
        # cpu user nice system idle iowait irq softirq steal …, in ticks since the start of the machine
        ticks = [int(count) for count in stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        per_second = os.sysconf("SC_CLK_TCK")
        idle = ticks[3] + ticks[4]
        used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        own = sum(usage.ru_utime + usage.ru_stime for usage in used)
        return cls((sum(ticks) - idle) / per_second, idle / per_second, own)

    def others_share(self, later: CpuTimes) -> float:
        """Share of the machine's processor time that others used until `later`, 0–1."""
        busy = later.machine_busy_s - self.machine_busy_s
        whole = busy + later.machine_idle_s - self.machine_idle_s
        return max(0.0, busy - (later.own_s - self.own_s)) / whole if whole else 0.0


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
