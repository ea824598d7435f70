"""Documents as lines: read as they were written, refused with a reason, cut anywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.domain.documents import Document, Vector, draft
from vidence_server.library.domain.lines import (
    MAX_LINE_BYTES,
    LineSplitter,
    document_line,
    next_checksum,
    parse_document,
    parse_end,
    parse_object,
)
from vidence_server.library.domain.metadata import metadata_json, metadata_of

pytestmark = pytest.mark.requirement("R-LI3")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
times = st.datetimes(timezones=st.just(UTC))
metadatas = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,10}", fullmatch=True),
    st.one_of(texts, st.booleans(), st.floats(allow_nan=False, allow_infinity=False), times),
    max_size=5,
)


@given(metadata=metadatas)
def test_metadata_are_read_as_they_were_written(metadata: dict[str, Any]) -> None:
    again = metadata_of(metadata_json(metadata))
    assert again == metadata
    assert [type(value) for value in again.values()] == [type(metadata[key]) for key in again]


@given(text=texts, metadata=metadatas, version=st.integers(1, 2**40), created=times, updated=times)
def test_a_document_is_read_from_its_line_as_it_was(
    text: str, metadata: dict[str, Any], version: int, created: datetime, updated: datetime
) -> None:
    vector = Vector("m@1", np.array([1.5, -2.25], "<f4").tobytes())
    own = draft("id é", text, metadata, vector)
    document = Document(
        "id é", version, 9, own.content_hash, text, own.metadata_json, vector, created, updated
    )
    line = document_line(document, with_vector=True)
    assert b"\n" not in line
    again = parse_document(parse_object(line), imported=True)
    assert (again.document_id, again.text, again.metadata, again.vector) == ("id é", text, metadata, vector)
    assert again.origin is not None
    assert (again.origin.version, again.origin.create_time) == (version, created)
    assert (again.content_hash, again.origin.update_time) == (own.content_hash, updated)
    assert "vector" not in json.loads(document_line(document, with_vector=False))["document"]


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")), max_size=8),
    data=st.data(),
)
def test_a_body_may_be_cut_anywhere(lines: list[bytes], data: st.DataObject) -> None:
    body = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    splitter = LineSplitter()
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        found += splitter.feed(body[start:end])
    found += splitter.finish()
    assert found == (body.split(b"\n") if not body.endswith(b"\n") else body.split(b"\n")[:-1]) or not body


def test_a_line_that_is_too_long_is_refused() -> None:
    splitter = LineSplitter()
    splitter.feed(b"x" * MAX_LINE_BYTES)
    with pytest.raises(DomainError) as refused:
        splitter.feed(b"x")
    assert refused.value.reason is Reason.DOCUMENT_INVALID


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"document": 1}',
        b'{"text": 1}',
        b'{"unknown": 1}',
        b'{"metadata": []}',
        b'{"metadata": {"a": null}}',
        b'{"metadata": {"a": [1]}}',
        b'{"metadata": {"a": {"other_value": 1}}}',
        b'{"metadata": {"a": {"time_value": "yesterday"}}}',
        b'{"metadata": {"a": {"time_value": "2026-01-01T00:00:00"}}}',
        b'{"metadata": {"a": 1' + b"0" * 400 + b"}}",
        b'{"vector": {}}',
        b'{"vector": {"model_id": "m"}}',
        b'{"vector": {"model_id": "m", "values": ["a"]}}',
        b'{"vector": {"model_id": "m", "data": "!"}}',
        b'{"vector": {"model_id": "m", "data": "AAA="}}',
        b"[" * 100_000,
    ],
)
def test_lines_that_are_no_documents_are_refused(line: bytes) -> None:
    with pytest.raises(DomainError) as refused:
        parse_document(parse_object(line), new_id="doc_1")
    assert refused.value.reason is Reason.DOCUMENT_INVALID
    assert "yesterday" not in refused.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"version": "0", "content_sha256": "00" * 32, "create_time": "x", "update_time": "x"},
        {"version": "1", "content_sha256": "zz", "create_time": "x", "update_time": "x"},
        {"version": "1", "content_sha256": "00" * 32, "create_time": "x", "update_time": "x"},
    ],
)
def test_what_is_imported_must_be_of_an_export(fields: dict[str, str]) -> None:
    with pytest.raises(DomainError) as refused:
        parse_document({"document_id": "a", **fields}, imported=True)
    assert refused.value.reason is Reason.DOCUMENT_INVALID


def test_typed_and_plain_values_mean_the_same() -> None:
    typed = {"a": {"string_value": "x"}, "b": {"number_value": 2}, "c": {"bool_value": True}}
    plain = {"a": "x", "b": 2, "c": True}
    assert parse_document({"metadata": typed}, new_id="d").metadata == {"a": "x", "b": 2.0, "c": True}
    assert parse_document({"metadata": plain}, new_id="d") == parse_document({"metadata": typed}, new_id="d")


def test_a_checksum_depends_on_every_line_and_their_order() -> None:
    zero = bytes(32)
    one = next_checksum(next_checksum(zero, b"a"), b"b")
    assert one != next_checksum(next_checksum(zero, b"b"), b"a")
    assert one != next_checksum(zero, b"ab")


def test_an_end_that_cannot_be_read_is_refused() -> None:
    assert parse_end({"document_count": "3", "checksum": "ab"}).document_count == 3
    for value in ({}, {"document_count": "x", "checksum": "ab"}):
        with pytest.raises(DomainError):
            parse_end(value)
