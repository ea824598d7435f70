"""ONNX Runtime must not tell anybody what runs here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import vidence_server.inference.session
import onnxruntime
onnxruntime.SessionOptions()
print(onnxruntime.get_available_providers())
"""


def test_loading_the_runtime_leaves_no_trace_of_telemetry(tmp_path: Path) -> None:
    # Continuous integration suppresses telemetry by itself: then this would show nothing.
    environ = {
        name: value for name, value in os.environ.items() if name not in {"CI", "ORT_DISABLE_TELEMETRY"}
    }
    environ |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=True, capture_output=True, timeout=60)
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    assert [name for name in left if "onnxruntime" in name.lower() or "Microsoft" in name] == []
