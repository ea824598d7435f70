"""Who works: what workers say of themselves, and what operators ask of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from vidence_server.batch.domain.work import Directive, Presence, WorkerView
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason

_MAX_WORKERS = 10_000


@dataclass(slots=True)
class _Known:
    presence: Presence
    start_time: datetime
    last_seen_time: datetime
    draining: bool = False
    concurrency: int | None = None
    """What an operator asked for; None: nobody did."""
    completed: int = 0


class Workers:
    """The workers that are heard of, in memory: after a restart they are known again when they ask for work.

    Bound: 10,000; overflow: the one that has been silent longest is forgotten.
    """

    def __init__(self, clock: Clock, *, silence_s: float) -> None:
        """Nobody yet.

        Args:
            clock: The service's time.
            silence_s: A worker that is silent for so long is forgotten, s.
        """
        self._clock = clock
        self._silence = timedelta(seconds=silence_s)
        self._known: dict[str, _Known] = {}  # bound: _MAX_WORKERS; the one heard of last is last

    def heard(self, presence: Presence) -> Directive:
        """A worker said something; gives what it is asked to do."""
        now = self._clock.now()
        known = self._known.pop(presence.worker_id, None) or _Known(presence, now, now)
        known.presence, known.last_seen_time = presence, now
        self._known[presence.worker_id] = known
        self._forget(now)
        return self.directive(presence.worker_id)

    def directive(self, worker_id: str) -> Directive:
        """What a worker that is heard of is asked to do."""
        known = self._find(worker_id)
        return Directive(known.draining, known.concurrency or known.presence.concurrency)

    def completed(self, worker_id: str) -> None:
        """A worker brought an item to an end."""
        if worker_id in self._known:
            self._known[worker_id].completed += 1

    def drain(self, worker_id: str, *, resume: bool = False) -> WorkerView:
        """Asks a worker to take nothing new, or to work again.

        Raises:
            DomainError: WORKER_NOT_FOUND.
        """
        known = self._find(worker_id)
        known.draining = not resume
        return _view(known)

    def set_concurrency(self, worker_id: str, concurrency: int) -> WorkerView:
        """Asks a worker to work at so many items at once.

        Raises:
            DomainError: WORKER_NOT_FOUND.
        """
        known = self._find(worker_id)
        known.concurrency = concurrency
        return _view(known)

    def views(self) -> list[WorkerView]:
        """All of them, by id."""
        self._forget(self._clock.now())
        return sorted(map(_view, self._known.values()), key=lambda view: view.worker_id)

    def _find(self, worker_id: str) -> _Known:
        known = self._known.get(worker_id)
        if known is None:
            raise DomainError(Reason.WORKER_NOT_FOUND, "No worker that is heard of has this id.")
        return known

    def _forget(self, now: datetime) -> None:
        while self._known:
            oldest = next(iter(self._known.values()))
            if oldest.last_seen_time + self._silence > now and len(self._known) <= _MAX_WORKERS:
                return
            del self._known[oldest.presence.worker_id]


def _view(known: _Known) -> WorkerView:
    return WorkerView(
        worker_id=known.presence.worker_id,
        name=known.presence.name,
        draining=known.draining,
        concurrency=known.concurrency or known.presence.concurrency,
        running=known.presence.running,
        completed=known.completed,
        operations=known.presence.operations,
        start_time=known.start_time,
        last_seen_time=known.last_seen_time,
    )
