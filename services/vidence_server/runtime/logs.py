"""Structured logs: one JSON object per line (or colours in a terminal), without personal data."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from vidence_server.runtime.redaction import first_line, harmless, harmless_traceback
from vidence_server.runtime.settings import LogSettings

_Event = MutableMapping[str, Any]
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logs(settings: LogSettings, stream: TextIO) -> None:
    """Sends the logs of this process, and of the libraries in it, to `stream`.

    Called once, at the start. Whatever is passed as a value, only numbers and short texts are written; of
    exceptions, where they came from and their type.
    """
    level = _LEVELS[settings.level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception,
        _guard,
    ]
    renderer = _renderer(settings, stream)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,  # loggers are made before this is called
    )
    _configure_libraries(level, [_foreign, *shared], renderer, stream)


def _renderer(settings: LogSettings, stream: TextIO) -> Processor:
    if settings.format == "console" or (settings.format == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _configure_libraries(
    level: int, processors: list[Processor], renderer: Processor, stream: TextIO
) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell of trouble; their own small talk is for their authors.
    root.setLevel(max(level, logging.WARNING))


def _exception(_logger: object, _method: str, event: _Event) -> _Event:
    """Replaces `exc_info` by where the error came from."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()[1]
    elif isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        event["traceback"] = harmless_traceback(given)
    return event


def _guard(_logger: object, _method: str, event: _Event) -> _Event:
    """Leaves of each value what may be logged. The traceback was made by `_exception` and is harmless."""
    for key, value in event.items():
        if key != "traceback" and not key.startswith("_"):
            event[key] = harmless(value)
    return event


def _foreign(_logger: object, _method: str, event: _Event) -> _Event:
    """Marks another library's record with its logger and keeps the first line of what it says."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["logger"] = record.name
        event["exc_info"] = record.exc_info
    event["event"] = first_line(str(event.get("event", "")))
    return event
