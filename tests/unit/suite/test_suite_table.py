"""What a process imports, and that each service can be started."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from vidence_server.suite.table import PORTS, module_of


@pytest.mark.requirement("R-OP2")
def test_the_bus_alone_needs_neither_opencv_nor_the_readers() -> None:
    code = """if True:
        import sys, vidence_server.suite, vidence_server.suite.event
        print([name for name in ("cv2", "pypdfium2", "vidence_server.extraction.app") if name in sys.modules])
    """
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.requirement("R-OP2")
@pytest.mark.parametrize("name", PORTS)
def test_each_service_has_a_module_that_starts_it(name: str) -> None:
    module = module_of(name)
    assert inspect.iscoroutinefunction(module.open_service)
    assert callable(module.models)
