"""Takes an export into a library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Priority
from vidence_server.library.committer import Committer
from vidence_server.library.domain.documents import KeptState
from vidence_server.library.domain.exports import ImportComplete, ImportProgress
from vidence_server.library.domain.libraries import Library
from vidence_server.library.domain.lines import (
    NO_CHECKSUM,
    ExportEnd,
    LineSplitter,
    next_checksum,
    parse_document,
    parse_end,
    parse_object,
)
from vidence_server.library.domain.metadata import invalid
from vidence_server.library.ingest import BackOff, IngestStream, Offer, Offered, ShuttingDown
from vidence_server.library.keeping import Keeper, KeepPolicy

_PROGRESS_PERIOD_S = 0.25
_OFFER_LINES = 250


@dataclass(slots=True)
class _Reading:
    """What was read of an export so far."""

    total: int = 0
    documents: int = 0
    checksum: bytes = NO_CHECKSUM
    end: ExportEnd | None = None
    line: int = 0


class Importing:
    """Imports; what came stays, also where an import fails."""

    def __init__(self, keeper: Keeper, committer: Committer, clock: Clock, *, stop: asyncio.Event) -> None:
        """An importer.

        Args:
            keeper: Keeps the documents.
            committer: Writes them.
            clock: For the pauses between two notes of progress.
            stop: Set when the server takes no more requests.
        """
        self._keeper = keeper
        self._committer = committer
        self._clock = clock
        self._stop = stop

    async def run(
        self, library: Library, body: AsyncIterator[bytes]
    ) -> AsyncGenerator[ImportProgress | ImportComplete, None]:
        """Imports a body that comes in pieces.

        Yields:
            `ImportProgress` now and then, `ImportComplete` at the end.

        Raises:
            DomainError: DOCUMENT_INVALID, IMPORT_INCOMPLETE, IMPORT_CHECKSUM_MISMATCH, DRAINING, and what
                became of the first document that was refused.
        """
        read = _Reading()
        kept = changed = 0
        told_s = self._clock.monotonic()
        stream = IngestStream(
            self._offers(body, read),
            library,
            KeepPolicy(priority=Priority.BULK),
            keeper=self._keeper,
            committer=self._committer,
            clock=self._clock,
            stop=self._stop,
        )
        async with stream:
            while (news := await stream.next()) is not None:
                if isinstance(news, BackOff):
                    continue
                if isinstance(news, ShuttingDown):
                    raise DomainError(Reason.DRAINING, "The server is shutting down.", retry_after_s=1.0)
                for result in news:
                    if isinstance(result.outcome, DomainError):
                        raise result.outcome
                    kept += 1
                    changed += result.outcome.state is not KeptState.DUPLICATE
                if self._clock.monotonic() - told_s >= _PROGRESS_PERIOD_S:
                    told_s = self._clock.monotonic()
                    yield ImportProgress(kept, read.total)
        _check_end(read)
        yield ImportComplete(kept, changed, read.checksum)

    async def _offers(self, body: AsyncIterator[bytes], read: _Reading) -> AsyncIterator[Offer]:
        splitter = LineSplitter()
        async for data in body:
            lines = splitter.feed(data)
            for start in range(0, len(lines), _OFFER_LINES):
                yield await asyncio.to_thread(_offer, lines[start : start + _OFFER_LINES], read)
        yield await asyncio.to_thread(_offer, splitter.finish(), read)


def _offer(lines: list[bytes], read: _Reading) -> Offer:
    documents = [offered for line in lines if (offered := _take(line.removesuffix(b"\r"), read)) is not None]
    return Offer(documents, sum(map(len, lines)))


def _take(line: bytes, read: _Reading) -> Offered | None:
    """A line's document; what others tell is noted."""
    read.line += 1
    if not line.strip():
        return None
    value = parse_object(line)
    match next(iter(value), ""):
        case "document":
            if read.end is not None:
                raise invalid("A document stands behind the end of the export.")
            try:
                draft = parse_document(value, imported=True)
            except DomainError as error:
                raise _at_line(error, read.line) from None
            read.documents += 1
            read.checksum = next_checksum(read.checksum, line)
            return Offered(draft.document_id, draft, read.line)
        case "export_started":
            read.total = read.total or _total(value["export_started"])
        case "export_complete":
            read.end = parse_end(value["export_complete"])
        case "export_failed":
            raise _incomplete(read)
        case "checkpoint":
            pass
        case _:
            raise _at_line(invalid("The line is none of an export."), read.line)
    return None


def _total(started: Any) -> int:
    try:
        return int(started["document_count"]) if isinstance(started, Mapping) else 0
    except (KeyError, TypeError, ValueError):
        return 0


def _check_end(read: _Reading) -> None:
    if read.end is None:
        raise _incomplete(read)
    expected = (read.end.document_count, read.end.checksum)
    if expected != (read.documents, read.checksum.hex()):
        raise DomainError(
            Reason.IMPORT_CHECKSUM_MISMATCH,
            "The documents that came are not those that were exported.",
            metadata={"expected": read.end.checksum, "actual": read.checksum.hex()},
        )


def _incomplete(read: _Reading) -> DomainError:
    return DomainError(
        Reason.IMPORT_INCOMPLETE,
        "The export has no end.",
        metadata={"documents": str(read.documents)},
    )


def _at_line(error: DomainError, line: int) -> DomainError:
    return DomainError(
        error.reason,
        error.message,
        fields=error.fields,
        metadata={**error.metadata, "line": str(line)},
        retry_after_s=error.retry_after_s,
    )
