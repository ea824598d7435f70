"""Notices calls that block the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import blockbuster_ctx


@contextmanager
def never_blocking(package: str = "vidence_server") -> Iterator[None]:
    """Lets every call raise `BlockingError` that blocks the loop and comes from a module of the package."""
    with blockbuster_ctx(package) as watch:
        for name in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
            # A lock of the coverage tool, which it takes wherever it sees a file for the first time.
            watch.functions[name].can_block_in("coverage/collector.py", "lock_data")
        yield
