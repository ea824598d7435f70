"""Revisions of the extraction service's database (Alembic)."""
