"""Revisions of a monitor's database (Alembic)."""
