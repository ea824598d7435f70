"""Cross-checks of what was read, seen and compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from vidence_server.capture.domain.results import Check, CheckVerdict

EXPIRY_KEY = "document.expiry_date"
PASSED, FAILED, UNDECIDED = CheckVerdict.PASSED, CheckVerdict.FAILED, CheckVerdict.UNDECIDED


@dataclass(frozen=True, slots=True)
class FieldFact:
    """What the checks look at of one field that was read."""

    key: str
    value: str
    source: str
    """`VISUAL`, `MRZ` or `BARCODE`."""
    valid: bool | None
    """What a rule of the document says; None: no rule was asked."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that is known when all pictures stand."""

    fields: tuple[FieldFact, ...] | None
    """None: the document could not be read."""
    same_person: bool | None
    """None: it could not be told."""
    portrait_detail: str
    """Why it could not be told."""
    liveness_asked: bool
    liveness_passed: bool | None
    today: date


def checks(findings: Findings) -> tuple[Check, ...]:
    """The checks of a verification, in order. What nothing is known about is left out where it may be."""
    fields = findings.fields
    found = [_portrait(findings), _expiry(fields, findings.today), _document(fields)]
    zones = _zones(fields or ())
    if zones is not None:
        found.append(zones)
    if findings.liveness_asked:
        shown = findings.liveness_passed
        found.append(Check("liveness", PASSED if shown else FAILED, "ok" if shown else "check_failed"))
    return tuple(found)


def _portrait(findings: Findings) -> Check:
    if findings.same_person is None:
        return Check("portrait_match", UNDECIDED, findings.portrait_detail)
    if findings.same_person:
        return Check("portrait_match", PASSED, "ok")
    return Check("portrait_match", FAILED, "different")


def _expiry(fields: tuple[FieldFact, ...] | None, today: date) -> Check:
    values = [field.value for field in fields or () if field.key == EXPIRY_KEY and field.valid is not False]
    try:
        last_day = date.fromisoformat(values[0])
    except (IndexError, ValueError):
        return Check("document_expiry", UNDECIDED, "not_read")
    expired = last_day < today
    return Check("document_expiry", FAILED if expired else PASSED, "expired" if expired else "ok")


def _document(fields: tuple[FieldFact, ...] | None) -> Check:
    verdicts = {field.valid for field in fields or ()}
    if False in verdicts:
        return Check("document_checks", FAILED, "check_failed")
    if True in verdicts:
        return Check("document_checks", PASSED, "ok")
    return Check("document_checks", UNDECIDED, "not_read")


def _zones(fields: Iterable[FieldFact]) -> Check | None:
    """Machine readable against visual zone; None where no value stands in both."""
    by_key: dict[str, dict[str, str]] = {}
    for field in fields:
        if field.value:
            by_key.setdefault(field.key, {})[field.source] = field.value.casefold()
    pairs = [values for values in by_key.values() if len(values) > 1]
    if not pairs:
        return None
    agree = all(len(set(values.values())) == 1 for values in pairs)
    return Check("zone_match", PASSED if agree else FAILED, "ok" if agree else "different")
