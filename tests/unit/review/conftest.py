"""The databases that the tests of this folder use."""

from __future__ import annotations

from fakes.postgres import home, postgres, shared_home

__all__ = ["home", "postgres", "shared_home"]
