"""Prints which test shows which requirement, and which requirement no test shows yet.

Requirements are the table rows of `docs/requirements.md`; tests name them with
`@pytest.mark.requirement("R-…")`, found in the source without running anything. Fails when a test names a
requirement that the document does not state.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (R-[A-Z]{2}\d+) \| (.+) \|$", re.MULTILINE)


def stated_requirements(document: str) -> dict[str, str]:
    """Requirement id → its text, in the document's order."""
    return {match[1]: match[2] for match in ROW.finditer(document)}


def marked_ids(node: ast.AST) -> Iterator[str]:
    """Requirement ids in the `requirement(...)` marks below `node`."""
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "requirement"
        ):
            yield from (str(arg.value) for arg in call.args if isinstance(arg, ast.Constant))


def marks_of_file(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs (requirement id, test name) of one test file; a `pytestmark` counts for the whole file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(ROOT))
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            yield from ((mark, name) for mark in marked_ids(statement))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                yield from ((mark, f"{name}::{node.name}") for mark in marked_ids(decorator))


def collect(tests: Path) -> dict[str, set[str]]:
    """Requirement id → the tests that show it."""
    shown: dict[str, set[str]] = defaultdict(set)
    for path in sorted(tests.rglob("test_*.py")):
        for mark, test in marks_of_file(path):
            shown[mark].add(test)
    return shown


def main() -> int:
    """Prints the matrix."""
    stated = stated_requirements((ROOT / "docs" / "requirements.md").read_text(encoding="utf-8"))
    shown = collect(ROOT / "tests")
    verbose = "--tests" in sys.argv[1:]
    for requirement, text in stated.items():
        tests = sorted(shown.get(requirement, ()))
        print(f"{requirement:7} {f'{len(tests):3} tests' if tests else 'not covered yet':15} {text[:90]}")
        if verbose:
            print("".join(f"          {test}\n" for test in tests), end="")
    covered = sum(requirement in shown for requirement in stated)
    print(f"{covered} of {len(stated)} requirements have tests (list them: tools/requirements.py --tests)")
    unknown = sorted(set(shown) - set(stated))
    for requirement in unknown:
        print(f"unknown requirement {requirement}: {sorted(shown[requirement])}", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
