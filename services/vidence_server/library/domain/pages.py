"""Page tokens: where the next page begins, for this listing and no other."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from vidence_server.core.errors import DomainError, Reason

DEFAULT_PAGE_SIZE = 50


def encode_token(listing: str, after_id: str) -> str:
    """A token.

    Args:
        listing: What is listed, and how it is filtered.
        after_id: The last id that was given.
    """
    body = json.dumps([_digest(listing), after_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode()


def decode_token(listing: str, token: str) -> str:
    """The id after which the page begins; empty without a token.

    Raises:
        DomainError: PAGE_TOKEN_INVALID.
    """
    if not token:
        return ""
    try:
        digest, after_id = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        digest, after_id = "", ""
    if digest != _digest(listing) or not isinstance(after_id, str):
        raise DomainError(
            Reason.PAGE_TOKEN_INVALID, "The page token was not given by this server for this listing."
        )
    return after_id


def _digest(listing: str) -> str:
    return hashlib.sha256(listing.encode()).hexdigest()[:16]
