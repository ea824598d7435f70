from __future__ import annotations

import pytest

from vidence_server.extraction.domain.document import (
    DocumentTypeGuess,
    ExtractedField,
    FieldSource,
    PlannedField,
    assemble,
)
from vidence_server.extraction.domain.events import ExtractionProgress
from vidence_server.extraction.domain.fields import FIELD_DEFINITIONS, FIELDS_BY_KEY
from vidence_server.extraction.types import DOCUMENT_TYPES, document_type

PLAN = (PlannedField("document.number"), PlannedField("mrz.line", 1), PlannedField("mrz.line", 2))


def field(key: str, index: int, revision: int, value: str) -> ExtractedField:
    return ExtractedField(key, index, revision, value, value, 0.9, None, FieldSource.MRZ)


@pytest.mark.requirement("R-EX1")
def test_a_document_holds_the_last_revision_of_each_field_in_plan_order() -> None:
    read = [
        field("mrz.line", 2, 1, "b"),
        field("document.number", 0, 2, "better"),
        field("mrz.line", 1, 1, "a"),
        field("document.number", 0, 1, "worse"),
    ]
    document = assemble(DocumentTypeGuess("passport", 0.8), read, PLAN)
    assert [(one.key, one.value) for one in document.fields] == [
        ("document.number", "better"),
        ("mrz.line", "a"),
        ("mrz.line", "b"),
    ]
    assert (document.document_type, document.type_confidence) == ("passport", 0.8)


def test_fields_outside_the_plan_come_last() -> None:
    read = [field("text.line", 1, 1, "x"), field("mrz.line", 1, 1, "a")]
    document = assemble(DocumentTypeGuess("passport", 1.0), read, PLAN)
    assert [one.key for one in document.fields] == ["mrz.line", "text.line"]


@pytest.mark.requirement("R-EX3")
@pytest.mark.parametrize("known", DOCUMENT_TYPES, ids=lambda known: known.key)
def test_every_planned_field_is_in_the_table_of_standard_keys(known: object) -> None:
    planned = document_type(getattr(known, "key", "")).planned_fields
    for one in planned:
        definition = FIELDS_BY_KEY[one.key]
        assert getattr(known, "key", "") in definition.document_types
        assert definition.repeated or one.index == 0
    assert len({(one.key, one.index) for one in planned}) == len(planned)


def test_the_table_names_each_key_once_and_only_types_that_exist() -> None:
    assert len(FIELDS_BY_KEY) == len(FIELD_DEFINITIONS)
    known = {one.key for one in DOCUMENT_TYPES}
    planned = {(kind.key, one.key) for kind in DOCUMENT_TYPES for one in kind.planned_fields}
    for definition in FIELD_DEFINITIONS:
        assert set(definition.document_types) <= known
        assert all((kind, definition.key) in planned for kind in definition.document_types)


def test_progress_of_nothing_is_complete() -> None:
    assert ExtractionProgress(0, 0).fraction == 1.0
    assert ExtractionProgress(1, 4).fraction == 0.25
