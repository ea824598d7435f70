"""Logs that outlive the process: one writer thread with group commit over a file, readers beside it."""

from vidence_server.streams.durable.inspection import VerifyReport, verify
from vidence_server.streams.durable.salvage import RepairReport, repair

__all__ = ["RepairReport", "VerifyReport", "repair", "verify"]
