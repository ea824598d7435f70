"""A publisher's part that belongs to one process: its buffer, its thread, its end, and its forks."""

from __future__ import annotations

import atexit
import itertools
import os
import random
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from vidence.event.v1 import event_pb2
from vidence_client.channel import RetryPolicy
from vidence_client.errors import VidenceError
from vidence_client.publishing.at_exit import call_at_exit_of_child
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.encoding import naming
from vidence_client.publishing.forking import FORKS
from vidence_client.publishing.sender import ErrorListener
from vidence_client.publishing.thread import SenderSettings, SenderThread

_STOP_S = 2.0  # ending a connection takes milliseconds


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What a publisher was made with; see `Publisher`."""

    address: str
    source: str
    durability: event_pb2.Durability.ValueType
    buffer_events: int
    buffer_bytes: int
    drop_oldest: bool
    on_error: ErrorListener | None
    exit_timeout_s: float
    retry: RetryPolicy


class PublishingProcess:
    """The buffer of this process, and the thread that sends what is in it.

    The thread is started by the first event. It ends before every fork, so that no fork meets gRPC at work,
    and is started again after it: in the parent with everything that has no answer yet, in the child with
    nothing.

    Attributes:
        buffer: Where the events are.
        awake: Whether the thread will look at the buffer without being woken.
        closed: Whether it takes no more events.
    """

    buffer: Buffer
    awake: bool
    _lock: threading.RLock  # reentrant: a signal handler may publish
    _thread: SenderThread | None
    _forking: bool
    _exit_known: bool

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self.closed = False
        self._begin()
        atexit.register(self._at_exit)
        FORKS.add(self)

    @property
    def last_failure(self) -> VidenceError | None:
        """Why the last connection broke; None: none did."""
        return self._thread.last_failure if self._thread is not None else None

    def next_id(self) -> str:
        """Gives an id for an event that is encoded with it."""
        return f"{self._prefix}-own-{next(self._own_ids)}"

    def wake(self) -> None:
        """Has the thread look at the buffer; starts it where there is none."""
        with self._lock:
            if self.awake or self._forking:
                return
            self.awake = True
            if self._thread is not None and self._thread.is_alive():
                self._thread.wake()
                return
            if not self._exit_known:
                self._exit_known = True
                call_at_exit_of_child(self._at_exit)
            wanted = self._settings
            settings = SenderSettings(wanted.address, wanted.on_error, wanted.retry, random.Random())
            self._thread = SenderThread(self.buffer, settings, self._rest)

    def answers(self) -> Future[None]:
        """Gives a future that is done when every event published so far has its answer, or was dropped."""
        future = self.buffer.wait_for_answers()
        if not future.done():
            self.wake()
        return future

    def flush(self, timeout: float | None) -> bool:
        """Waits until all events published so far have their answers; tells whether they have."""
        future = self.answers()
        try:
            future.result(timeout)
        except TimeoutError:
            future.cancel()
            return False
        return True

    def close(self, timeout: float | None) -> bool:
        """Flushes, ends the thread and drops what still waits; tells whether nothing did."""
        complete = self.flush(timeout)
        self.closed = True
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop(_STOP_S)
        self.buffer.close()
        atexit.unregister(self._at_exit)
        return complete

    def before_fork(self) -> bool:
        """Ends the connection; tells whether there was one."""
        with self._lock:
            self._forking = True
            thread = self._thread
        if thread is None or thread.is_current() or not thread.is_alive():
            return False
        thread.stop(_STOP_S)
        return True

    def after_fork_in_parent(self) -> None:
        """Opens it again where something is to be sent."""
        with self._lock:
            self._forking = False
            self.awake = self._thread is not None and self._thread.is_current()
            if self.buffer.has_unsent():
                self.wake()

    def after_fork_in_child(self) -> None:
        """Begins anew: what waited is the parent's."""
        self._begin()

    def _begin(self) -> None:
        settings = self._settings
        self._prefix = os.urandom(8).hex()
        self._own_ids = itertools.count(1)
        self.buffer = Buffer(
            limit_events=settings.buffer_events,
            limit_bytes=settings.buffer_bytes,
            drop_oldest=settings.drop_oldest,
            name=naming(settings.source, self._prefix),
            durability=settings.durability,
        )
        if self.closed:
            self.buffer.close()
        self._lock = threading.RLock()
        self._thread = None
        self.awake = False
        self._forking = False
        self._exit_known = False

    def _rest(self) -> None:
        self.awake = False

    def _at_exit(self) -> None:
        if not self.closed:
            self.close(self._settings.exit_timeout_s)
