"""The databases that the tests of this folder use."""

from __future__ import annotations

from fakes.own_database import own_database
from fakes.postgres import home, pgvector, postgres, postgres_alone, shared_home

__all__ = ["home", "own_database", "pgvector", "postgres", "postgres_alone", "shared_home"]
