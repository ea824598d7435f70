"""The suite in one process: one gRPC server, one engine, the services asked for.

A service's module is imported when the service is started: the bus alone needs neither models nor OpenCV.
"""

from vidence_server.suite.opening import Suite, embedded_suite, open_suite
from vidence_server.suite.table import PORTS, SERVICES

__all__ = ["PORTS", "SERVICES", "Suite", "embedded_suite", "open_suite"]
