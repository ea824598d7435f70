"""Revisions of the capture service's database (Alembic)."""
