"""Revisions of the batch service's database (Alembic)."""
