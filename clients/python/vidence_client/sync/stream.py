"""Streams and watches for plain code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from vidence_client.stream import Stream as AsyncStream
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.watch import Watch as AsyncWatch
from vidence_client.watch_shape import E as Event
from vidence_client.watch_shape import R as Message
from vidence_client.watch_shape import WatchStatistics

R = TypeVar("R")


class Stream(Generic[R]):
    """The messages of one streaming call, for plain code; see `vidence_client.Stream`.

    An iterator and context manager; leaving the context cancels the call. `close` may be called from another
    thread: then the iteration ends.
    """

    def __init__(self, stream: AsyncStream[R], thread: LoopThread) -> None:
        self._stream = stream
        self._thread = thread

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        """Returns the next message.

        Raises:
            StopIteration: The stream is complete, or was closed here.
            VidenceError: It failed, fell silent or broke a guarantee; `ServerUnreachable`: the peer is gone.
        """
        step = next_of(self._stream)
        message = self._thread.run(step)
        if message is None:
            raise StopIteration
        return message

    def close(self) -> None:
        """Ends the stream; a call that still runs is cancelled. May be called again."""
        self._thread.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Watch(Generic[Message, Event]):
    """The events of a log, for plain code; see `vidence_client.Watch`.

    An iterator of events and a context manager. `close` may be called from another thread: then the iteration
    ends. Listeners are called in the client's thread.
    """

    def __init__(self, watch: AsyncWatch[Message, Event], thread: LoopThread) -> None:
        self._watch = watch
        self._thread = thread

    @property
    def cursor(self) -> str:
        """Behind everything that was handed over: store it, and pass it to go on there later."""
        return self._watch.cursor

    def statistics(self) -> WatchStatistics:
        """Gives the numbers as they are now."""
        return self._watch.statistics()

    def messages(self) -> Iterator[Message]:
        """Gives the responses as they come, those about the stream included, instead of events."""
        messages = self._watch.messages()
        while (message := self._thread.run(next_of(messages))) is not None:
            yield message

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """Returns the next event.

        Raises:
            StopIteration: What was watched is over, or the watch was closed here.
            VidenceError: As in the asynchronous watch.
        """
        event = self._thread.run(next_of(self._watch))
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Ends the watch. May be called again."""
        self._thread.run(self._watch.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def next_of(stream: AsyncIterator[R]) -> R | None:
    """Returns the next message, or None at the end: a StopAsyncIteration cannot cross threads as such."""
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
