"""Which database a URL names."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage import postgresql, sqlite


def parsed_url(url: URL | str) -> URL:
    """The URL of a SQLite file or of PostgreSQL; raises `DomainError`, CONFIGURATION_INVALID."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.database and parsed.drivername in (sqlite.DRIVER, postgresql.DRIVER):
        return parsed
    raise DomainError(
        Reason.CONFIGURATION_INVALID,
        f"The database must be a SQLite file or {postgresql.DRIVER}://user@host:port/database.",
    )
