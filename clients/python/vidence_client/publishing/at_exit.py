"""The end of a process that `multiprocessing` made: it runs no `atexit` functions."""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
from collections.abc import Callable


def call_at_exit_of_child(function: Callable[[], None]) -> None:
    """Has `function` called when this process ends, if `multiprocessing` made it."""
    if multiprocessing.parent_process() is not None:
        multiprocessing.util.Finalize(None, function, exitpriority=0)
