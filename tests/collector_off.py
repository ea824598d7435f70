"""Without the garbage collector: what is gone then was freed by whoever had it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Frees what is garbage already, then leaves what only the collector could free."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
