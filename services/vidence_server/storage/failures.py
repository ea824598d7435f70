"""What a database says, in the terms of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from vidence_server.core.errors import DomainError, Reason

_RETRY_AFTER_S = 1.0


@contextmanager
def domain_failures() -> Iterator[None]:
    """Turns failures of the database into `DomainError`s.

    `IntegrityError` passes: what a constraint means is known to those who made it. Nothing of the statement
    or its values is in the message.

    Raises:
        DomainError: STORAGE_FULL, STORAGE_FAILED; both may be tried again.
    """
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        if "disk is full" in str(error):
            raise DomainError(
                Reason.STORAGE_FULL, "The disk has no room.", retry_after_s=_RETRY_AFTER_S
            ) from error
        raise DomainError(
            Reason.STORAGE_FAILED, "The database does not answer.", retry_after_s=_RETRY_AFTER_S
        ) from error
