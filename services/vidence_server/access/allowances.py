"""How much each caller may ask for: calls per second, and calls open at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason

_RETRY_S = 1.0


@dataclass(slots=True)
class _Account:
    tokens: float
    seen_s: float
    open: int = 0


@dataclass(frozen=True, slots=True)
class AllowanceStatistics:
    """Plain numbers."""

    callers: int
    rate_limited: int
    call_limited: int


class Allowances:
    """A token bucket and a count per caller.

    Bound: callers heard of since the last `sweep` that are not back to a full bucket; overflow: none, each is
    authenticated or one peer's address.
    """

    def __init__(self, clock: Clock, *, per_s: float | None, burst: int, open_calls: int | None) -> None:
        """Full buckets.

        Args:
            clock: The time.
            per_s: Calls per second in the long run; None: any number.
            burst: Calls at once after a rest, at least 1.
            open_calls: Calls open at once, streams among them; None: any number.
        """
        self._clock = clock
        self._per_s = per_s
        self._burst = float(max(1, burst))
        self._open_calls = open_calls
        self._accounts: dict[str, _Account] = {}
        self._rate_limited = 0
        self._call_limited = 0

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Counts a call for as long as it runs.

        Raises:
            DomainError: RATE_LIMITED, CALL_LIMIT.
        """
        account = self._account(name)
        if self._open_calls is not None and account.open >= self._open_calls:
            self._call_limited += 1
            raise DomainError(
                Reason.CALL_LIMIT,
                "The caller has as many calls open as it may have.",
                metadata={"limit": str(self._open_calls)},
                retry_after_s=_RETRY_S,
            )
        if self._per_s is not None:
            if account.tokens < 1:
                self._rate_limited += 1
                delay_s = (1 - account.tokens) / self._per_s
                raise DomainError(
                    Reason.RATE_LIMITED, "The caller asks more often than it may.", retry_after_s=delay_s
                )
            account.tokens -= 1
        account.open += 1
        try:
            yield
        finally:
            account.open -= 1

    def sweep(self) -> None:
        """Forgets those who have rested."""
        for name in tuple(self._accounts):
            account = self._account(name)
            if not account.open and account.tokens >= self._burst:
                del self._accounts[name]

    def statistics(self) -> AllowanceStatistics:
        """The numbers as they are now."""
        return AllowanceStatistics(len(self._accounts), self._rate_limited, self._call_limited)

    def _account(self, name: str) -> _Account:
        now_s = self._clock.monotonic()
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(self._burst, now_s)
        rested_s, account.seen_s = now_s - account.seen_s, now_s
        account.tokens = min(self._burst, account.tokens + rested_s * (self._per_s or self._burst))
        return account
