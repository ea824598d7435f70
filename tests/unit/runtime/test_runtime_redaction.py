from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import structlog

from fakes.runtime import captured_logs
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.runtime.redaction import first_line, harmless, harmless_traceback

CONTENTS = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"


def failing(message: str) -> None:
    local = CONTENTS
    raise ValueError(f"{message}: {local}")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("COMPLETE", "COMPLETE"),
        (Path("/data"), "/data"),
        ("x" * 300, "<text of 300 characters>"),
        (b"\xff\xd8", "<2 bytes>"),
        (bytearray(3), "<3 bytes>"),
        pytest.param(memoryview(b"1234"), "<4 bytes>", id="memoryview"),
        (pb.ExtractDocumentRequest(content=b"12"), "<ExtractDocumentRequest of 4 bytes>"),
        (np.zeros((2, 2)), "<ndarray>"),
        (ValueError(CONTENTS), "<ValueError>"),
        ({"a": b"12", "b": [b"1", 2]}, {"a": "<2 bytes>", "b": ["<1 bytes>", 2]}),
        ([[[["deep"]]]], [[["<list of 1>"]]]),
        (list(range(100)), list(range(20))),
    ],
    ids=repr,
)
def test_of_a_value_only_what_is_harmless_is_kept(value: object, shown: object) -> None:
    assert harmless(value) == shown


def raised() -> KeyError:
    """An error with a cause, both of which quote contents."""
    try:
        try:
            failing("cannot read")
        except ValueError as cause:
            raise KeyError(CONTENTS) from cause
    except KeyError as error:
        return error
    raise AssertionError


def test_a_traceback_names_places_and_types_and_no_values() -> None:
    text = harmless_traceback(raised())
    assert "in failing" in text
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert CONTENTS not in text


def test_the_members_of_a_group_are_traced() -> None:
    text = harmless_traceback(ExceptionGroup(CONTENTS, [raised()]))
    assert "in failing" in text
    assert CONTENTS not in text


def test_of_a_librarys_message_the_first_line_is_kept() -> None:
    assert first_line("Task failed\nfuture: <Task exception=ValueError('x')>") == "Task failed"
    assert len(first_line("x" * 1000)) < 300


@pytest.mark.requirement("R-OP3", "R-EX9")
def test_logs_are_json_lines_without_contents() -> None:
    with captured_logs() as logs:
        log = structlog.get_logger("test")
        with structlog.contextvars.bound_contextvars(request_id="req_1"):
            try:
                failing("no")
            except ValueError:
                log.exception("failed", picture=CONTENTS.encode(), request=pb.ExtractDocumentRequest())
    (line,) = logs.lines
    assert line["event"] == "failed"
    assert line["level"] == "error"
    assert line["request_id"] == "req_1"
    assert line["picture"] == f"<{len(CONTENTS)} bytes>"
    assert "in failing" in line["traceback"]
    assert line["timestamp"].endswith("Z")
    assert CONTENTS not in logs.text


def test_the_logs_of_libraries_take_the_same_way() -> None:
    with captured_logs() as logs:
        try:
            failing("no")
        except ValueError:
            logging.getLogger("some.library").exception("Went wrong for %s\n%s", "a reason", CONTENTS)
        logging.getLogger("some.library").info("small talk")
    (line,) = logs.lines
    assert line["event"] == "Went wrong for a reason"
    assert (line["logger"], line["level"]) == ("some.library", "error")
    assert "in failing" in line["traceback"]
    assert CONTENTS not in logs.text


def test_the_level_is_kept() -> None:
    with captured_logs("warning") as logs:
        structlog.get_logger("test").info("not this")
        structlog.get_logger("test").warning("but this")
    assert [line["event"] for line in logs.lines] == ["but this"]
