"""Times as people type them: a moment, or how long ago it was."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_OF_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_moment(text: str, now: datetime) -> datetime:
    """Reads `10m` (ten minutes before `now`), or a date or time as ISO 8601 writes it; without a zone: local.

    Raises:
        ValueError: It is neither.
    """
    if ago := _AGO.fullmatch(text.strip()):
        try:
            return now - timedelta(seconds=float(ago[1]) * _SECONDS_OF_UNIT[ago[2]])
        except OverflowError:
            raise ValueError("longer ago than any calendar reaches") from None
    moment = datetime.fromisoformat(text.strip())
    return moment.astimezone(UTC)


class Moment(click.ParamType[datetime]):
    """An option that takes a moment; its value has a zone."""

    name = "TIME"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Reads the text; usage error where it is no moment."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_moment(value, datetime.now(UTC))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time like 2026-01-31T12:00 nor one like 10m, 2h, 3d", param, ctx
            )
