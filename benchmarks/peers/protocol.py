"""What every peer process speaks: a JSON line with a path comes in, a JSON line with what was read goes out.

Started: ``{"ready": "<name and version>"}``. Then for each ``{"id": 7, "path": "…"}`` one
``{"id": 7, "lines": [{"text": "…", "corners": [[x, y], …]}], "seconds": 0.5}``, or
``{"id": 7, "error": "…"}``. Corners run clockwise from the top left, in px of the picture; seconds are those
between the bytes in memory and the lines.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

Line = dict[str, object]


def serve(ready: str, read: Callable[[bytes], list[Line]]) -> None:
    """Answers until stdin closes.

    Args:
        ready: Name and version of the engine.
        read: Bytes of a picture to lines.
    """
    # Libraries print; only answers may reach the one who asked.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)
        print(json.dumps({"ready": ready}), file=answers)
        for line_read in sys.stdin:
            request = json.loads(line_read)
            print(json.dumps({"id": request["id"], **_answer(Path(request["path"]), read)}), file=answers)


def _answer(path: Path, read: Callable[[bytes], list[Line]]) -> dict[str, object]:
    content = path.read_bytes()
    start = time.perf_counter()
    try:
        lines = read(content)
    except Exception as error:  # noqa: BLE001 - a peer that fails on one picture stays in the comparison
        return {"error": f"{type(error).__name__}: {error}"}
    return {"lines": lines, "seconds": time.perf_counter() - start}


def line(text: str, corners: Iterable[tuple[float, float]]) -> Line:
    """One line with its four corners, clockwise from the top left."""
    return {"text": text, "corners": [[float(x), float(y)] for x, y in corners]}


def upright(text: str, left: float, top: float, right: float, bottom: float) -> Line:
    """One line in an upright box."""
    return line(text, [(left, top), (right, top), (right, bottom), (left, bottom)])
