"""What all tests share: the coverage floor."""

from __future__ import annotations

pytest_plugins = ["coverage_floor"]
