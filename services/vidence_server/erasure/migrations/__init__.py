"""Revisions of the erasure service's database (Alembic)."""
