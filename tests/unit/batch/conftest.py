"""The databases that the tests of this folder use."""

from __future__ import annotations

from fakes.postgres import home, postgres, postgres_alone, shared_home

__all__ = ["home", "postgres", "postgres_alone", "shared_home"]
