"""What all tests share: the coverage floor, and signals as a terminal's programs have them."""

from __future__ import annotations

import signal

import structlog

pytest_plugins = ["coverage_floor"]


def pytest_configure() -> None:
    """Lets the programs that tests start be interrupted, and tells tracebacks plainly.

    A job that a shell put into the background, as CI may, inherits an ignored SIGINT and hands it on.
    Drawing a traceback with all its locals takes longer than the test it belongs to.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    drawing = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], drawing])
