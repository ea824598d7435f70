"""Encryption at rest of a process: one for all its services, opened by the first that keeps something."""

from __future__ import annotations

import asyncio

from vidence_server.encryption.sealing import Sealing
from vidence_server.runtime.encryption_opening import check_key, make_sealing
from vidence_server.suite.process import Process

_COUNTERS = ("sealed", "opened", "opened_plain", "refused", "key_failures")


async def sealing_of(process: Process) -> Sealing:
    """How this process keeps images and face templates; its keys are proved.

    Raises:
        DomainError: CONFIGURATION_INVALID, KEY_UNKNOWN, CIPHERTEXT_INVALID, KEY_UNAVAILABLE.
    """
    if process.sealing is None:
        settings = process.settings
        sealing = await asyncio.to_thread(make_sealing, settings.encryption, process.clock)
        await asyncio.to_thread(check_key, sealing, settings.storage.folder)
        process.metrics.export("encryption", sealing.statistics, counters=_COUNTERS)
        process.sealing = sealing
    return process.sealing
