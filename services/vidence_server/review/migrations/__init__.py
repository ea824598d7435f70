"""Revisions of the review service's database (Alembic)."""
