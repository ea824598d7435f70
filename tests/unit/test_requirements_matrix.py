"""The matrix of `make requirements` finds marks wherever pytest does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("requirements_matrix", ROOT / "tools" / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.requirement("R-DO2")
def test_every_marked_requirement_is_stated(matrix: ModuleType) -> None:
    stated = matrix.stated_requirements((ROOT / "docs" / "requirements.md").read_text())
    assert len(stated) == 63
    assert set(matrix.collect(ROOT / "tests")) <= set(stated)


def test_marks_of_functions_methods_classes_and_files_count(
    matrix: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import pytest
pytestmark = pytest.mark.requirement("R-AA1")
@pytest.mark.requirement("R-AA2", "R-AA3")
def test_one(): ...
class TestTwo:
    @pytest.mark.requirement("R-AA4")
    async def test_three(self): ...
"""
    (tmp_path / "test_x.py").write_text(source)
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    assert set(matrix.collect(tmp_path)) == {"R-AA1", "R-AA2", "R-AA3", "R-AA4"}
