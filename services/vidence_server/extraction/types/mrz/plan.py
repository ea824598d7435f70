"""Which fields a document with a machine readable zone has."""

from __future__ import annotations

from collections.abc import Sequence

from vidence_server.extraction.domain.document import PlannedField
from vidence_server.extraction.types.mrz.formats import MrzFormat

_GIVEN_NAMES = "person.given_names"
_ORDER = (
    "document.code",
    "document.issuer",
    "document.number",
    "person.surname",
    _GIVEN_NAMES,
    "person.nationality",
    "person.birth_date",
    "person.sex",
    "document.expiry_date",
    "document.optional_data",
    "document.optional_data_2",
)


def zone_plan(formats: Sequence[MrzFormat]) -> tuple[PlannedField, ...]:
    """Every field that a zone in one of `formats` has; required are those that all of them have."""
    keys = [_keys(mrz_format) for mrz_format in formats]
    single = tuple(
        PlannedField(key, required=all(key in known for known in keys))
        for key in _ORDER
        if any(key in known for known in keys)
    )
    counts = [len(mrz_format.lines) for mrz_format in formats]
    lines = tuple(
        PlannedField("mrz.line", number, required=number <= min(counts))
        for number in range(1, max(counts) + 1)
    )
    composite = [mrz_format.composite is not None for mrz_format in formats]
    checks = (PlannedField("mrz.composite_check", required=all(composite)),) if any(composite) else ()
    return (*single, PlannedField("mrz.format"), *lines, *checks)


def _keys(mrz_format: MrzFormat) -> frozenset[str]:
    """The keys of a format's spans; the names of every zone are one span and two fields."""
    return frozenset({span.key for layout in mrz_format.lines for span in layout.spans} | {_GIVEN_NAMES})
