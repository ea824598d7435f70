"""Which services there are. A new one is a module of this package and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # the commands show these names, and start what is asked for only
    from vidence_server.suite.process import Process
    from vidence_server.suite_settings import SuiteSettings

PORTS: Mapping[str, int] = {
    "event": 50051,
    "extraction": 50052,
    "capture": 50053,
    "face": 50056,
    "library": 50055,
    "batch": 50054,
    "review": 50058,
}
"""Services that `vidence serve` can start, by name, and where each listens when it runs alone.

They are opened in this order: one that hands something to others comes before them.
"""
SERVICES = tuple(PORTS)
"""Their names; `all` means each of them, at the port of the settings."""


class ServiceModule(Protocol):
    """What `vidence_server.suite.<name>` has."""

    def models(self, settings: SuiteSettings) -> Iterable[str]:
        """Registry names of the models that the service runs with these settings."""
        ...

    async def open_service(self, process: Process) -> None:
        """Puts the service on the process's server, and everything it needs on its stack.

        Raises:
            DomainError: DATABASE_IN_USE, DATABASE_INCOMPATIBLE, CONFIGURATION_INVALID, STORAGE_FAILED.
        """
        ...


def module_of(name: str) -> ServiceModule:
    """Imports what starts a service."""
    # By name: a process pays only for what it serves.
    return cast(ServiceModule, import_module(f"vidence_server.suite.{name}"))
