"""One task that waits until somebody rouses it."""

from __future__ import annotations

import asyncio


class Sleep:
    """A wait of one task. Waking it costs nothing where it is awake, and counts once."""

    __slots__ = ("_asleep",)

    def __init__(self) -> None:
        self._asleep: asyncio.Future[None] | None = None

    async def until_roused(self) -> None:
        """Waits. Not for several tasks at once."""
        self._asleep = asyncio.get_running_loop().create_future()
        try:
            await self._asleep
        finally:
            self._asleep = None

    def rouse(self) -> bool:
        """Ends the wait; whether there was one."""
        asleep = self._asleep
        if asleep is None or asleep.done():
            return False
        asleep.set_result(None)
        return True
