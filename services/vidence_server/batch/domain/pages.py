"""Tokens that lead from one page of a listing to the next."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from vidence_server.core.errors import DomainError, Reason

DEFAULT_PAGE_SIZE = 50


def encode_token(last: str, *listing: object) -> str:
    """The token for the page after a row; holds for this listing only.

    Args:
        last: Key of the last row of the page.
        listing: What is listed: tenant, kind, filter.
    """
    packed = json.dumps([last, _binding(last, listing)]).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_token(token: str, *listing: object) -> str:
    """The key of the row after which a page begins; empty for the first page.

    Raises:
        DomainError: PAGE_TOKEN_INVALID.
    """
    if not token:
        return ""
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        last, binding = json.loads(packed)
    except (binascii.Error, ValueError, TypeError):
        raise _invalid() from None
    if not isinstance(last, str) or binding != _binding(last, listing):
        raise _invalid()
    return last


def _binding(last: str, listing: tuple[object, ...]) -> str:
    return hashlib.blake2b(repr((last, *listing)).encode(), digest_size=8).hexdigest()


def _invalid() -> DomainError:
    return DomainError(
        Reason.PAGE_TOKEN_INVALID, "This page token was not given by this server for this listing."
    )
