"""The guard of a server: who calls, for how long, how often, and what is written down of it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from vidence_server.access.allowances import Allowances, AllowanceStatistics
from vidence_server.access.authority import Authority
from vidence_server.access.principal import Presented, Principal
from vidence_server.runtime.access_settings import AccessSettings
from vidence_server.runtime.audit_events import AuditEntry, AuditEvents, is_action
from vidence_server.runtime.rpc import Rpc

_LAST_WORDS_S = 2.0
"""A stream whose reader takes nothing is cut this long after its credential ended."""


@dataclass(frozen=True, slots=True)
class GuardStatistics:
    """Plain numbers."""

    open_streams: int
    ended_streams: int
    """Ended because their credential did."""
    refused: int
    allowances: AllowanceStatistics


class OpenStream:
    """A stream that ends with its credential."""

    def __init__(self, principal: Principal, rpc: Rpc, cut: asyncio.Timeout) -> None:
        self.principal = principal
        self.ended = False
        self._rpc = rpc
        self._cut = cut

    def end(self) -> None:
        """Asks the stream to end, and cuts it where it cannot, or where nobody reads that it does."""
        self.ended = True
        now_s = asyncio.get_running_loop().time()
        if self._rpc.end_stream is None:
            self._cut.reschedule(now_s)
        else:
            self._cut.reschedule(now_s + _LAST_WORDS_S)
            self._rpc.end_stream()


class AccessGuard:
    """Checks callers from the beginning of its context to the end; one task looks after open streams."""

    def __init__(
        self,
        settings: AccessSettings,
        authority: Authority,
        allowances: Allowances,
    ) -> None:
        """A guard at rest.

        Args:
            settings: The section `access`, with `mode` on.
            authority: Knows credentials.
            allowances: Count calls.
        """
        self._settings = settings
        self._authority = authority
        self._allowances = allowances
        self._streams: set[OpenStream] = set()  # bound: the server's limit of streams
        self._ended = 0
        self._refused = 0
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger(__name__)
        self._audit = structlog.get_logger("vidence_server.audit")
        self._events: AuditEvents | None = None

    async def __aenter__(self) -> Self:
        """Begins to look."""
        await self._authority.refresh()
        self._task = asyncio.create_task(self._watch(), name="credentials of open streams")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def principal(self, presented: Presented) -> Principal:
        """As `Authority.principal`."""
        return await self._authority.principal(presented)

    def presents_nothing(self, presented: Presented) -> bool:
        """As `Authority.presents_nothing`."""
        return self._authority.presents_nothing(presented)

    def tenant(self, principal: Principal, asked: str) -> str:
        """As `Authority.tenant`."""
        return self._authority.tenant(principal, asked)

    def call(self, principal: Principal) -> AbstractContextManager[None]:
        """As `Allowances.call`."""
        return self._allowances.call(principal.name)

    def opened(self, stream: OpenStream) -> None:
        """Looks after a stream from now on."""
        self._streams.add(stream)

    def closed(self, stream: OpenStream) -> None:
        """Does so no longer."""
        self._streams.discard(stream)

    def tells(self, events: AuditEvents) -> None:
        """Tells the bus too from now on."""
        self._events = events

    def write_down(self, entry: AuditEntry, *, refused: bool, scope: str) -> None:
        """Writes a call down, as the settings say.

        Args:
            entry: The call.
            refused: Whether it was not let in.
            scope: That it needed; empty: none.
        """
        self._refused += refused
        if self._settings.audit == "none" or (self._settings.audit == "refused" and not refused):
            return
        self._audit.info(
            "audit",
            principal=entry.principal,
            tenant=entry.tenant,
            service=entry.service,
            method=entry.method,
            outcome=entry.outcome,
            duration_s=round(entry.duration_s, 6),
        )
        if self._events is not None and (refused or is_action(scope)):
            self._events.tell(entry, refused=refused)

    async def look(self) -> None:
        """Reads what changed, and ends the streams whose credential is gone."""
        await self._authority.refresh()
        self._allowances.sweep()
        for stream in tuple(self._streams):
            if not stream.ended and not self._authority.stands(stream.principal):
                self._ended += 1
                stream.end()

    def statistics(self) -> GuardStatistics:
        """The numbers as they are now."""
        return GuardStatistics(len(self._streams), self._ended, self._refused, self._allowances.statistics())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.check_period_s)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # a defect must not leave streams open for ever
                self._log.error("credentials not looked at", exc_info=error)
