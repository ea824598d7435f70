from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rendering.lines import line
from rendering.reading import read
from vidence_client.provenance import RecordError, broken_links, differences, is_of, parse_record
from vidence_server.extraction.domain.document import Document
from vidence_server.extraction.domain.provenance import Maker, Source, provenance_record

CONTENT = b"a picture"
SOURCE = Source(
    image_sha256=hashlib.sha256(CONTENT).hexdigest(),
    media_type="image/png",
    width_px=10,
    height_px=20,
    pdf_page=1,
    document_type="text",
    catalogue="",
    profile="",
    catalogue_sha256="",
    today=date(2026, 1, 15),
)
MAKER = Maker("1.0", {"ocr-recogniser": "b" * 64, "ocr-detector": "a" * 64}, {"pdf_dpi": "200"})
DOCUMENT: Document = read("text", [line("Peña sells tea", 0), line("and oil", 1)]).document


def record(source: Source = SOURCE, maker: Maker = MAKER, document: Document = DOCUMENT) -> str:
    return provenance_record(source, maker, document)


@pytest.mark.requirement("R-EX8")
def test_a_record_is_whole_and_of_its_image() -> None:
    parsed = parse_record(record())
    assert broken_links(parsed) == []
    assert is_of(parsed, CONTENT)
    assert not is_of(parsed, b"another picture")
    assert [entry["name"] for entry in parsed.of("model")] == ["ocr-detector", "ocr-recogniser"]
    assert [entry["value"] for entry in parsed.of("field")] == ["Peña sells tea", "and oil"]


@pytest.mark.requirement("R-EX8")
def test_the_same_reading_gives_the_same_bytes() -> None:
    assert record() == record()
    assert "\n" not in record()
    assert json.loads(record())["format"] == "vidence.provenance/1"


def entries(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["entries"]
    return found


def changed(index: int, **values: object) -> str:
    made = entries(record())
    made[index] |= values
    return json.dumps({"format": "vidence.provenance/1", "entries": made})


@pytest.mark.requirement("R-EX8")
@pytest.mark.parametrize("place", range(len(entries(record()))))
def test_no_entry_can_be_changed_unseen(place: int) -> None:
    assert place in broken_links(parse_record(changed(place, kind="other")))


@pytest.mark.requirement("R-EX8")
@pytest.mark.parametrize("place", range(1, len(entries(record())) - 1))
def test_no_entry_can_be_left_out_unseen(place: int) -> None:
    made = entries(record())
    del made[place]
    assert broken_links(parse_record(json.dumps({"format": "vidence.provenance/1", "entries": made})))


@pytest.mark.requirement("R-EX8")
def test_reading_again_tells_what_differs_and_no_value() -> None:
    before = parse_record(record())
    assert differences(before, parse_record(record(replace(SOURCE, today=date(2030, 1, 1))))) == []
    other = read("text", [line("Pena sells tea", 0)]).document
    newer = replace(MAKER, version="2.0", models={**MAKER.models, "ocr-detector": "c" * 64})
    told = differences(before, parse_record(record(maker=newer, document=other)))
    assert [sentence.partition(":")[0] for sentence in told] == [
        "software",
        "model",
        "text.line[1]",
        "text.line[2]",
    ]
    assert not any("tea" in sentence for sentence in told)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": "vidence.provenance/1", "entries": []}', '{"format": "x"}']
)
def test_other_texts_are_no_record(text: str) -> None:
    with pytest.raises(RecordError):
        parse_record(text)


def test_a_record_without_its_image_says_so() -> None:
    made = [entry for entry in entries(record()) if entry["kind"] != "image"]
    with pytest.raises(RecordError):
        parse_record(json.dumps({"format": "vidence.provenance/1", "entries": made})).one("image")
