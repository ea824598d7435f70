"""Where the services keep their state: a SQLite file each, or a schema each in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidence_server.storage.database import Database, PoolLimits, sqlite_url


@dataclass(frozen=True, slots=True)
class StateLocation:
    """Says for each service which database it opens. Shows no URL, for it may hold a password."""

    folder: Path
    """Of the SQLite files, and of whatever else a service keeps in files."""
    url: str = field(default="", repr=False)
    """Of PostgreSQL, `postgresql+asyncpg://user@host:port/database`; empty: SQLite."""
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The same for single services, by name, in the place of `url`; empty text: SQLite for that one."""
    password_file: Path | None = None
    """Of the password of all these URLs, read at each connection."""
    limits: PoolLimits = field(default_factory=PoolLimits)
    """Of each service's connections."""

    def exists(self, service: str) -> bool:
        """Whether there may be something in the database of a service; always for PostgreSQL."""
        return bool(self.urls.get(service, self.url)) or (self.folder / f"{service}.db").exists()

    def database(self, service: str, *, migrations: Path, guest: bool = False) -> Database:
        """The database of a service, not opened yet: `<folder>/<service>.db`, or the schema of that name.

        Args:
            service: `extraction`, say.
            migrations: Folder of its Alembic revisions.
            guest: As for `Database`.

        Raises:
            DomainError: CONFIGURATION_INVALID.
        """
        return Database(
            self.urls.get(service, self.url) or sqlite_url(self.folder / f"{service}.db"),
            migrations=migrations,
            schema=service,
            password_file=self.password_file,
            limits=self.limits,
            guest=guest,
        )
