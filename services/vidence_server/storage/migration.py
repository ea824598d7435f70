"""Brings a database to the state that this version knows (Alembic, without its command)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from vidence_server.core.errors import DomainError, Reason

_ENVIRONMENT = Path(__file__).parent / "migrations"
_OUTBOX = _ENVIRONMENT / "versions"
CONNECTION = "connection"
"""Under this name `migrations/env.py` finds the connection among the configuration's attributes."""
SCHEMA = "schema"
"""And under this one the PostgreSQL schema, None for SQLite."""


def upgrade(connection: Connection, migrations: Path, schema: str | None = None) -> None:
    """Applies what is missing, of the service's own revisions and of the outbox's; all or nothing.

    Reads files, so not for the event loop. Alembic knows one migration at a time per process.

    Args:
        connection: In a transaction that the caller commits.
        migrations: Folder of the service's revisions.
        schema: Of PostgreSQL, first in the connection's search path.

    Raises:
        DomainError: DATABASE_INCOMPATIBLE where a later version has migrated the database already.
    """
    config = Config()
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{_escaped(_OUTBOX)}\n{_escaped(migrations)}")
    config.attributes |= {CONNECTION: connection, SCHEMA: schema}
    _refuse_unknown(connection, ScriptDirectory.from_config(config), schema)
    command.upgrade(config, "heads")


def _refuse_unknown(connection: Connection, scripts: ScriptDirectory, schema: str | None) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    options = {"version_table_schema": schema}
    found = set(MigrationContext.configure(connection, opts=options).get_current_heads())
    if not found <= known:
        raise DomainError(
            Reason.DATABASE_INCOMPATIBLE,
            "The database was written by a later version.",
            metadata={
                "found": ", ".join(sorted(found)),
                "known": ", ".join(sorted(scripts.get_heads())),
            },
        )


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
