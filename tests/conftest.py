"""What all tests share: the coverage floor, and signals as a terminal's programs have them."""

from __future__ import annotations

import signal

pytest_plugins = ["coverage_floor"]


def pytest_configure() -> None:
    """Lets the programs that tests start be interrupted.

    A job that a shell put into the background, as CI may, inherits an ignored SIGINT and hands it on.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
