"""Alembic revisions of the library service."""
