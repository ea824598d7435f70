"""What a process imports, and that each service can be started."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from vidence_server.suite.table import PORTS, module_of

HEAVY = ("cv2", "pypdfium2", "PIL", "numpy", "onnxruntime")
"""What looks at pictures: seconds of a start and 100 MB."""


def imported_by(code: str) -> set[str]:
    """The modules that a new process has after this code."""
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(told.stdout.split())


@pytest.mark.requirement("R-OP2")
def test_the_bus_alone_imports_nothing_that_looks_at_pictures() -> None:
    found = imported_by(
        "import vidence_server.__main__, vidence_server.suite.opening, vidence_server.suite.event"
    )
    assert "vidence_server.event.app" in found
    assert not found & {*HEAVY, "vidence_server.inference.engine", "vidence_server.extraction.app"}


@pytest.mark.requirement("R-OP2")
@pytest.mark.parametrize("name", PORTS)
def test_each_service_has_a_module_that_starts_it(name: str) -> None:
    module = module_of(name)
    assert inspect.iscoroutinefunction(module.open_service)
    assert callable(module.models)
