"""Where real pictures lie, if there are any: they are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def real_data(kind: str) -> Path | None:
    """The folder of one kind of real pictures: under `VIDENCE_REAL_DATA`, or `../shared/data`; else None."""
    base = Path(os.environ.get("VIDENCE_REAL_DATA", ROOT.parent / "shared" / "data"))
    folder = base / kind
    return folder if folder.is_dir() else None


def absence(kind: str) -> str:
    """What to say where there are none."""
    return f"No real {kind} here: set VIDENCE_REAL_DATA to a folder that has `{kind}`. Going on without them."
