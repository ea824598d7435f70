"""What becomes of a reading in a library: text, metadata, and who may put it there."""

from __future__ import annotations

import pytest

from vidence.extraction.v1 import document_pb2
from vidence_server.access.principal import Principal
from vidence_server.core.errors import DomainError, Reason
from vidence_server.library.convert import to_draft
from vidence_server.runtime.filed_document import check_may_file, to_library_document
from vidence_server.runtime.rpc import Method, Rpc, enter_rpc

pytestmark = pytest.mark.requirement("R-LI1")


def read(*fields: tuple[str, int, str], kind: str = "passport") -> document_pb2.Document:
    return document_pb2.Document(
        document_type=kind,
        fields=[
            document_pb2.ExtractedField(key=key, index=index, raw_value=value, value=value)
            for key, index, value in fields
        ],
    )


def test_single_fields_become_metadata_and_all_values_text() -> None:
    made = to_library_document(
        "bat_1-0",
        read(("document.number", 0, "L898902C3"), ("text.line", 1, "one"), ("text.line", 2, "two")),
        {"batch_id": "bat_1", "index": 3},
    )
    assert made.document_id == "bat_1-0"
    assert made.text == "L898902C3\none\ntwo"
    strings = {key: value.string_value for key, value in made.metadata.items() if key != "index"}
    assert strings == {"document_type": "passport", "batch_id": "bat_1", "document.number": "L898902C3"}
    assert made.metadata["index"].number_value == 3


def test_a_value_that_could_not_be_normalised_stands_as_it_was_read() -> None:
    document = read(("document.expiry_date", 0, ""))
    document.fields[0].raw_value = "12 ABC"
    assert to_library_document("d", document, {}).metadata["document.expiry_date"].string_value == "12 ABC"


def test_more_than_a_library_takes_is_left_out_and_the_rest_is_taken() -> None:
    lines = [("text.line", n, "ü" * 1000 + "\x00") for n in range(1, 301)]
    many = [(f"key.{n}", 0, "x" * 5000) for n in range(300)]
    draft = to_draft(to_library_document("d", read(*many, *lines, kind="text"), {"index": 1}))
    assert 0 < len(draft.text.encode()) <= 262_144
    assert len(draft.metadata) == 256
    whole = to_draft(to_library_document("d", read(*lines, kind="text"), {}))
    assert whole.text.split("\n") == ["ü" * 1000] * 131


def test_only_who_may_write_to_libraries_may_file() -> None:
    check_may_file("mine")
    call = Rpc(Method("s", "m", request_streaming=False, response_streaming=False), "req_1")
    enter_rpc(call)
    check_may_file("mine")
    call.principal = Principal("key", "default", ("batch.write",))
    check_may_file("")
    with pytest.raises(DomainError) as refused:
        check_may_file("mine")
    assert refused.value.reason is Reason.SCOPE_MISSING
    call.principal = Principal("key", "default", ("batch.write", "library.*"))
    check_may_file("mine")
