"""What a database says, in the terms of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from vidence_server.core.errors import DomainError, Reason

DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where SQLAlchemy is not between; the last one when a connection breaks just then."""
_RETRY_AFTER_S = 1.0
_CONFLICT_RETRY_AFTER_S = 0.05
_DISK_FULL = "53100"
_CONFLICTS = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_LOST = {"57P01", "57P02", "57P03", "57P05", "25P03", "53300"}  # the server ends, or has no place for us
_LOST_CLASS = "08"  # connection exceptions


class ConnectionLostError(DomainError):
    """The database is away, or became so: what was not committed is forgotten."""


class ChangeConflictError(DomainError):
    """Another change came first, and this one was taken back as a whole: it may be made again at once."""


class _WithoutValues(Exception):  # noqa: N818  # the cause of an error, not one that is raised
    """What a server said, less its words: PostgreSQL quotes values in them."""


@contextmanager
def domain_failures() -> Iterator[None]:
    """Turns failures of the database into `DomainError`s.

    `IntegrityError` passes: what a constraint means is known to those who made it. Nothing of the statement
    or its values is in any message.

    Raises:
        DomainError: STORAGE_FULL, STORAGE_FAILED; both may be tried again. `ConnectionLostError` and
            `ChangeConflictError` are STORAGE_FAILED.
    """
    try:
        yield
    except IntegrityError as error:
        if sqlstate(error) is None:
            raise
        raise IntegrityError(None, None, _cause(error)) from None
    except (DBAPIError, PoolTimeoutError, *DRIVER_ERRORS) as error:
        raise _failure(error) from (error if sqlstate(error) is None else _cause(error))


def sqlstate(error: BaseException) -> str | None:
    """The five characters by which PostgreSQL names a failure; None where the server did not speak."""
    found = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return found if isinstance(found, str) else None


def _failure(error: BaseException) -> DomainError:
    code = sqlstate(error)
    if code == _DISK_FULL or (code is None and "disk is full" in str(error)):
        return DomainError(Reason.STORAGE_FULL, "The disk has no room.", retry_after_s=_RETRY_AFTER_S)
    if code in _CONFLICTS:
        return ChangeConflictError(
            Reason.STORAGE_FAILED,
            "Another change came first.",
            metadata={"sqlstate": str(code)},
            retry_after_s=_CONFLICT_RETRY_AFTER_S,
        )
    metadata = {} if code is None else {"sqlstate": code}
    kind = ConnectionLostError if _is_lost(error, code) else DomainError
    return kind(
        Reason.STORAGE_FAILED,
        "The database does not answer.",
        metadata=metadata,
        retry_after_s=_RETRY_AFTER_S,
    )


def _is_lost(error: BaseException, code: str | None) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if code is not None:
        return code in _LOST or code.startswith(_LOST_CLASS)
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))


def _cause(error: BaseException) -> _WithoutValues:
    origin = getattr(error, "orig", None) or error
    constraint = getattr(origin.__cause__ or origin, "constraint_name", None)
    named = f", constraint {constraint}" if constraint else ""
    return _WithoutValues(f"{type(origin).__name__}, SQLSTATE {sqlstate(error)}{named}")
