"""Types of columns that mean the same in every database."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy.types import TypeDecorator

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""A primary key that counts up; SQLite counts only in an INTEGER, which has 64 bits there."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC to the microsecond. SQLite keeps no time zone, so it is taken off and put on here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database; a time without a zone is a defect of the caller: ValueError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times are timezone-aware")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
