"""`make eval`: how exactly cards and licences are read, with the repository's own folders on the path."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    sys.path[:0] = [str(root), str(root / "tests")]
    from benchmarks.cards.run import main

    sys.exit(main())
