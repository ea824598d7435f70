"""Data keys: made, wrapped and unwrapped, each asked for as rarely as the settings allow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from vidence_server.core.clock import Clock
from vidence_server.encryption.ports import DATA_KEY_BYTES, KeyProvider, WrappedKey

_MOST_KNOWN = 4096
"""Unwrapped keys in memory."""
_MOST_USES = 10_000
"""Of one data key, whatever its age; its nonces are not what limits it, see `envelope`."""


@dataclass(slots=True)
class _Known:
    """A data key in memory."""

    data_key: bytes = field(repr=False)
    wrapped: WrappedKey
    until_s: float
    uses: int = 0


class DataKeys:
    """Gives data keys to those who encrypt, and those of kept data to those who read.

    With `reuse_s` at 0 each call makes and wraps a key of its own, and nothing stays in memory. A provider
    that takes long (a program, a service far away) is asked once in `reuse_s` per tenant instead: what is
    kept under one data key still has a content key of its own (`envelope`).
    """

    def __init__(
        self, provider: KeyProvider, *, clock: Clock, random: Callable[[int], bytes], reuse_s: float = 0.0
    ) -> None:
        """No key is known yet.

        Args:
            provider: Wraps and unwraps.
            clock: For the age of keys.
            random: Gives so many random bytes that nobody can guess.
            reuse_s: How long a data key is used and kept in memory, s.
        """
        self._provider = provider
        self._clock = clock
        self._random = random
        self._reuse_s = reuse_s
        self._lock = Lock()
        self._current: dict[str, _Known] = {}  # by tenant; bound: the tenants of the settings
        self._known: OrderedDict[WrappedKey, _Known] = OrderedDict()  # bound: _MOST_KNOWN, the oldest goes
        self._rewrapped: OrderedDict[WrappedKey, WrappedKey] = OrderedDict()  # bound: as above

    def fresh(self, tenant: str) -> tuple[bytes, WrappedKey]:
        """A data key to encrypt with; raises `DomainError`, KEY_UNAVAILABLE."""
        now_s = self._clock.monotonic()
        with self._lock:
            current = self._current.get(tenant)
            if current is not None and now_s < current.until_s and current.uses < _MOST_USES:
                current.uses += 1
                return current.data_key, current.wrapped
        data_key = self.random(DATA_KEY_BYTES)
        wrapped = self.wrap(data_key)
        if self._reuse_s:
            with self._lock:
                self._current[tenant] = _Known(data_key, wrapped, now_s + self._reuse_s, 1)
        return data_key, wrapped

    def wrap(self, data_key: bytes) -> WrappedKey:
        """Wraps a data key anew, with the current key; raises `DomainError`, KEY_UNAVAILABLE."""
        return self._provider.wrap(data_key)

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """A wrapped key under the current key; raises `DomainError` as `wrap` and `of`."""
        with self._lock:
            known = self._rewrapped.get(wrapped)
        if known is not None:
            return known
        fresh = self.wrap(self.of(wrapped))
        if self._reuse_s:
            with self._lock:
                self._rewrapped[wrapped] = fresh
                while len(self._rewrapped) > _MOST_KNOWN:
                    self._rewrapped.popitem(last=False)
        return fresh

    def of(self, wrapped: WrappedKey) -> bytes:
        """The data key of kept data; raises `DomainError` as `KeyProvider.unwrap`."""
        if not self._reuse_s:
            return self._provider.unwrap(wrapped)
        now_s = self._clock.monotonic()
        with self._lock:
            known = self._known.get(wrapped)
            if known is not None and now_s < known.until_s:
                return known.data_key
        data_key = self._provider.unwrap(wrapped)
        with self._lock:
            self._known[wrapped] = _Known(data_key, wrapped, now_s + self._reuse_s)
            self._known.move_to_end(wrapped)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return data_key

    def random(self, count: int) -> bytes:
        """Random bytes."""
        return self._random(count)
