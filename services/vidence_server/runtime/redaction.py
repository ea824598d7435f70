"""Keeps contents out of logs: pictures, documents and field values, whoever passes them in."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

_MAX_TEXT = 256
_MAX_ITEMS = 20
_MAX_DEPTH = 3
_MAX_CAUSES = 5


def harmless(value: object, depth: int = 0) -> Any:
    """What may be logged: numbers and short texts as they are, of everything else its kind and size."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Path):
        return str(value) if len(str(value)) <= _MAX_TEXT else f"<text of {len(str(value))} characters>"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Message):
        return f"<{value.DESCRIPTOR.name} of {value.ByteSize()} bytes>"
    return _harmless_container(value, depth)


def _harmless_container(value: object, depth: int) -> Any:
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth >= _MAX_DEPTH:
        return f"<{type(value).__name__} of {len(value)}>"
    if isinstance(value, Mapping):
        return {str(key): harmless(item, depth + 1) for key, item in list(value.items())[:_MAX_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [harmless(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
    return f"<{type(value).__qualname__}>"


def first_line(text: str) -> str:
    """The first line of another library's message, shortened: what follows often quotes objects."""
    line = text.partition("\n")[0]
    return line if len(line) <= _MAX_TEXT else line[:_MAX_TEXT] + "…"


def harmless_traceback(error: BaseException) -> str:
    """Where an error came from: frames and types of it and its causes, without messages and without locals.

    The message of an exception often quotes the value it stumbled over, so it is left out.
    """
    return "\n".join(_lines(error, _MAX_CAUSES))


def _lines(error: BaseException, causes_left: int) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and causes_left > 0:
        yield from _lines(cause, causes_left - 1)
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    yield f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions[:_MAX_CAUSES]:
            yield "of which:"
            yield from _lines(member, causes_left - 1)
