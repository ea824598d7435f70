"""Who writes when: in rounds, a few subscribers in each pass of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

PER_PASS = 32
_INTAKE_SHARE = 1 / 4
_MIN_INTAKE_S = 0.0005
_MAX_INTAKE_S = 0.01
_BOUND_PER_TURN_S = 100e-6
_LEAST_BOUND_S = 0.001


class InLine(Protocol):
    """A subscriber that has something to write."""

    def proceed(self, number: int) -> bool:
        """It is its turn, in the round of this number; whether it still waited for that."""
        ...


class Turns:
    """Gives turns to write, in rounds: whoever is in line when a round begins gets one turn in it.

    A round is over when nearly all who wrote are back, or after a bound: who is held up holds up nobody.
    After a long round, and only if somebody is in line already, up to a quarter of its time is left to
    publishers, who are read a message at a time and would otherwise stand behind a thousand writes: what
    they have on the way comes along in the messages of the next round. With time between events nothing
    waits: a round begins at once. Within a round so many write in each pass of the loop, so that
    everything else has its share of it. Bound of the line: the subscribers.
    """

    def __init__(self, per_pass: int = PER_PASS) -> None:
        self._per_pass = per_pass
        self._loop = asyncio.get_running_loop()
        self._line: deque[InLine] = deque()
        self._round: deque[InLine] = deque()
        self._number = 0
        self._size = 0
        self._out = 0
        self._began_s = 0.0
        self._running = False
        self._pass: asyncio.Handle | None = None
        self._bound: asyncio.TimerHandle | None = None
        self._intake: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._line) + len(self._round)

    def take(self) -> int:
        """Takes a turn at once, as a round of its own, where no other runs and nobody is in line; else 0."""
        if self._running or self._line or self._intake is not None:
            return 0
        self._open(1)
        self._out = 1
        return self._number

    def line_up(self, subscriber: InLine) -> None:
        """Puts a subscriber at the end of the line; it must be asleep when its turn comes."""
        self._line.append(subscriber)
        if self._running and self._bound is None:
            bound_s = max(_LEAST_BOUND_S, _BOUND_PER_TURN_S * self._size)
            self._bound = self._loop.call_at(self._began_s + bound_s, self._expire)

    def serve(self) -> None:
        """Begins a round with those in line, unless one runs or publishers have their time."""
        if self._line and not self._running and self._intake is None:
            self._round, self._line = self._line, deque()
            self._open(len(self._round))
            self._next_pass()

    def give_back(self, number: int) -> None:
        """A turn of the round of this number is over."""
        if number == self._number and self._running:
            self._out -= 1
            if not self._round and self._out <= self._size // 8:
                self._over()

    def close(self) -> None:
        """Gives no more turns."""
        self._line.clear()
        self._round.clear()
        for handle in (self._pass, self._bound, self._intake):
            if handle is not None:
                handle.cancel()

    def _open(self, size: int) -> None:
        self._number += 1
        self._size = size
        self._out = 0
        self._running = True
        self._began_s = self._loop.time()

    def _next_pass(self) -> None:
        self._pass = None
        given = 0
        while self._round and given < self._per_pass:
            given += self._round.popleft().proceed(self._number)
        self._out += given
        if self._round:
            self._pass = self._loop.call_soon(self._next_pass)
        elif not self._out:
            self._over()

    def _expire(self) -> None:
        """Waits no longer for those who do not come back."""
        self._bound = None
        if self._running and not self._round:
            self._over()
        elif self._running:
            self._bound = self._loop.call_later(_LEAST_BOUND_S, self._expire)

    def _over(self) -> None:
        self._running = False
        if self._bound is not None:
            self._bound.cancel()
            self._bound = None
        intake_s = min(_MAX_INTAKE_S, (self._loop.time() - self._began_s) * _INTAKE_SHARE)
        if intake_s < _MIN_INTAKE_S or not self._line:
            self.serve()
        else:
            self._intake = self._loop.call_later(intake_s, self._intake_over)

    def _intake_over(self) -> None:
        self._intake = None
        self.serve()
