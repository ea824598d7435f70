"""What a fork means for gRPC, and for those who use it.

Measured with grpcio 1.85: a process that forks while gRPC runs leaves the child a copy that hangs or crashes
when it is used, and with gRPC's own fork handlers the fork itself may crash the child. A process in which
every channel was closed has no gRPC thread left, and its children may use gRPC. So publishers end their
connections before a fork, and open them again after it.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import weakref
from pathlib import Path
from typing import Protocol

_SETTLE_S = 0.3  # gRPC ends its threads within milliseconds of the last channel
_THREADS = Path("/proc/self/task")
_GRPC_THREADS = ("event_engine", "grpc_global_tim")


class Forked(Protocol):
    """What wants to hear of forks."""

    def before_fork(self) -> bool:
        """Ends its connections; tells whether it had one."""
        ...

    def after_fork_in_parent(self) -> None:
        """Goes on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begins anew: nothing of the parent's belongs to the child."""
        ...


class ForkWatch:
    """Tells the interested of every fork of this process.

    There is one per process, for a fork is an event of the process, and a handler cannot be taken back.
    """

    def __init__(self) -> None:
        self._interested: weakref.WeakSet[Forked] = weakref.WeakSet()
        self._running = False
        self.grpc_is_lost = False
        """Whether this process was forked while gRPC ran, so that it must not use gRPC."""

    def add(self, interested: Forked) -> None:
        """Has it told, for as long as it lives."""
        self._interested.add(interested)

    def before(self) -> None:
        """The process is about to fork."""
        ended = [one.before_fork() for one in list(self._interested)]
        self._running = grpc_runs()
        if self._running and any(ended):
            gc.collect()
            deadline_s = time.monotonic() + _SETTLE_S
            while (running := grpc_runs()) and time.monotonic() < deadline_s:
                time.sleep(0.002)
            self._running = running

    def in_parent(self) -> None:
        """The process has forked."""
        for one in list(self._interested):
            one.after_fork_in_parent()

    def in_child(self) -> None:
        """The process is a fork."""
        self.grpc_is_lost = self.grpc_is_lost or self._running
        for one in list(self._interested):
            one.after_fork_in_child()


def grpc_runs() -> bool:
    """Tells whether this process has threads of gRPC; where that cannot be seen: whether it may have."""
    try:
        names = [(task / "comm").read_text() for task in _THREADS.iterdir()]
    except OSError:
        return "grpc" in sys.modules
    return any(name.startswith(_GRPC_THREADS) for name in names)


FORKS = ForkWatch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=FORKS.before, after_in_parent=FORKS.in_parent, after_in_child=FORKS.in_child)
