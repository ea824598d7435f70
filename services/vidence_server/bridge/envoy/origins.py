"""Which pages may call: origins as settings name them, and as regular expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ANY_PORT = ":*"


def origin_pattern(origins: Sequence[str]) -> str:
    """A regular expression that a whole allowed origin matches; RE2 knows it too."""
    if "*" in origins:
        return ".*"
    return "|".join(_one(origin) for origin in origins) or "none"


def _one(origin: str) -> str:
    plain = origin.removesuffix(_ANY_PORT)
    port = "(:[0-9]+)?" if plain != origin else ""
    return re.escape(plain).replace(r"\-", "-") + port


def is_allowed(origin: str | None, host: str | None, origins: Sequence[str]) -> bool:
    """Whether a request with these headers may be answered to a page.

    Args:
        origin: Its `Origin`; None: it comes from no page.
        host: Its `Host`; a page may always call where it came from.
        origins: Those that the settings name.
    """
    if origin is None:
        return True
    if host is not None and origin in {f"http://{host}", f"https://{host}"}:
        return True
    return re.fullmatch(origin_pattern(origins), origin) is not None
