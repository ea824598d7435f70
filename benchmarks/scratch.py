"""Where a benchmark and its processes leave what nobody keeps."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LAST_WORDS = 4000


@contextmanager
def scratch(log_name: str) -> Iterator[tuple[Path, Path]]:
    """A folder for the time of a run, and the log of its processes; its end is shown where the run fails."""
    with tempfile.TemporaryDirectory(prefix="vidence-bench-") as name:
        folder = Path(name)
        log = folder / log_name
        log.touch()
        try:
            yield folder, log
        except BaseException:
            print(log.read_text(errors="replace")[-_LAST_WORDS:], file=sys.stderr)
            raise
