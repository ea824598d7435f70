"""What the garbage collector of a process that serves looks at, and how often."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_OBJECTS = 5_000
"""Objects made and not yet freed after which the collector looks at the youngest; Python's default is 700.

So many that events and hits are mostly gone before it, by their reference counts, and few enough that what
only the collector can free (an error and the frames it went through, with an image in one of them) does not
pile up.
"""


@contextmanager
def settled_heap() -> Iterator[None]:
    """Tells the collector that the process is ready: what exists now stays, and is not looked at again.

    Modules, models and settings are hundreds of thousands of objects. While the collector walks through them
    no stream gets anything, and the busier a server is the more often it does.

    Within the context; what is garbage by then is freed first, and at the end everything is as it was.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
