"""Which draft gets which offset: repetitions found, publishers' counts checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Generic, TypeVar

from vidence_server.streams.append import Appended, AppendResult, Draft, Refused
from vidence_server.streams.durable.requests import AppendRequest
from vidence_server.streams.durable.store import IdentityTakenError, Record
from vidence_server.streams.durable.tail import LogTail
from vidence_server.streams.entry import GapReason, Hole

T = TypeVar("T")


class LogPlan(Generic[T]):
    """What one group appends to one log.

    Args:
        tail: The log.
        known: Offsets of identities that the log holds, all of the group's looked up. None: not looked up;
            the plan then hopes that there are none, and the store tells otherwise.
        last_sequence: Gives a publisher's last sequence, 0 for an unknown one.
    """

    def __init__(
        self, tail: LogTail, known: Mapping[str, int] | None, last_sequence: Callable[[str], int]
    ) -> None:
        self.tail = tail
        self.records: list[Record] = []
        self.answers: list[tuple[AppendRequest[T], Sequence[AppendResult]]] = []
        self.sequences: dict[str, int] = {}
        """What changes of the publishers' last sequences."""
        self.newest = tail.newest
        self.extent = tail.extent
        self.repeated = 0
        self.refused = 0
        self._known = known
        self._last_sequence = last_sequence
        self._placed: dict[str | None, int] = {}

    @property
    def hole(self) -> Hole:
        """What its records are once they are lost: only what was broadcast before its commit can be."""
        return Hole(self.records[0].offset - 1, self.newest, GapReason.EPHEMERAL, len(self.records))

    def add(self, requests: Sequence[AppendRequest[T]]) -> None:
        """Places the drafts of requests, in their order, behind those of the ones before.

        Raises:
            IdentityTakenError: A draft breaks its publisher's count, unless it is a repetition: look it up.
        """
        results = self._place_plain([draft for request in requests for draft in request.drafts])
        if results is None:
            self.answers += [(request, self._place_all(request)) for request in requests]
            return
        end = 0
        for request in requests:
            start, end = end, end + len(request.drafts)
            self.answers.append((request, results[start:end]))

    def _place_all(self, request: AppendRequest[T]) -> Sequence[AppendResult]:
        start, sequences = self.newest, dict(self.sequences)
        results = [self._place(draft) for draft in request.drafts]
        refusals = [result for result in results if type(result) is Refused]
        if not refusals or not request.atomic:
            self.refused += len(refusals)
            return results
        self._take_back(start, sequences)
        self.refused += len(results)
        return refusals[:1] * len(results)

    def finish(self) -> None:
        """Counts, once all requests are added."""
        extent = self.tail.extent
        self.extent = replace(
            extent,
            newest=self.newest,
            event_count=extent.event_count + len(self.records),
            size_bytes=extent.size_bytes + sum([len(record.body) for record in self.records]),
        )
        self.repeated = sum(len(results) for _, results in self.answers) - len(self.records) - self.refused

    def _place_plain(self, drafts: Sequence[Draft]) -> Sequence[AppendResult] | None:
        """Places drafts of which none is a repetition or counted, quickly; None: it takes a closer look."""
        # Column by column: a hundred thousand drafts are placed per second.
        bodies, times_ns, keys, identities, _, sequences = zip(*drafts, strict=True)
        if any(sequences) or not self._unheard(identities):
            return None
        offsets = range(self.newest + 1, self.newest + len(drafts) + 1)
        self.newest += len(drafts)
        self.records += map(Record, offsets, times_ns, bodies, identities, keys)
        self._placed.update(zip(identities, offsets, strict=True))
        return list(map(Appended, offsets, repeat(False)))

    def _unheard(self, identities: Sequence[str | None]) -> bool:
        distinct = set(identities)
        return (
            len(distinct) == len(identities)
            and None not in distinct
            and self._placed.keys().isdisjoint(distinct)
            and (self._known is None or self._known.keys().isdisjoint(distinct))
        )

    def _place(self, draft: Draft) -> AppendResult:
        identity = draft.identity
        if identity is not None:
            earlier = self._placed.get(identity)
            if earlier is None and self._known is not None:
                earlier = self._known.get(identity)
            if earlier is not None:
                return Appended(earlier, repeated=True)
        if draft.sequence:
            expected = self._expected(draft.publisher)
            if draft.sequence != expected:
                if identity is not None and self._known is None:
                    raise IdentityTakenError
                return Refused(expected, draft.sequence)
            self.sequences[draft.publisher] = expected
        self.newest = offset = self.newest + 1
        self.records.append(Record(offset, draft.time_ns, draft.body, identity, draft.key))
        if identity is not None:
            self._placed[identity] = offset
        return Appended(offset, False)

    def _expected(self, publisher: str) -> int:
        last = self.sequences.get(publisher)
        if last is None:
            last = self._last_sequence(publisher)
        return last + 1

    def _take_back(self, newest: int, sequences: dict[str, int]) -> None:
        keep = len(self.records) - (self.newest - newest)
        for record in self.records[keep:]:
            if record.identity is not None:
                del self._placed[record.identity]
        del self.records[keep:]
        self.newest, self.sequences = newest, sequences
