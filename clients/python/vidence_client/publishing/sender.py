"""Sending what a buffer holds: one connection after another until everything has its answer."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import grpc
from google.protobuf.message import DecodeError

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence_client.channel import RetryPolicy
from vidence_client.errors import ClientReason, ServerUnreachable, VidenceError
from vidence_client.publishing.batch import Batch
from vidence_client.publishing.buffer import Buffer
from vidence_client.publishing.connection import Connection, Line
from vidence_client.stream import FIRST_SILENCE_S, SILENT_PERIODS

_IN_FLIGHT = 16  # requests without an answer; the server takes 64

Answer = event_service_pb2.PublishStreamResponse
ErrorListener = Callable[[event_pb2.Event, VidenceError], None]


class Sender:
    """Sends the events of a buffer and takes the answers, until it is cancelled.

    A connection that breaks is replaced after a pause that grows with every failure and is drawn with full
    jitter; a delay that the server names is kept. Requests without an answer are then sent again: the server
    recognises what it has.

    Args:
        buffer: Where the events are.
        line: Gives connections.
        on_error: Hears of every event that was refused for good.
        retry: Bounds of the pauses; its `attempts` do not count here.
        randomness: Source of the jitter.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        buffer: Buffer,
        line: Line,
        *,
        on_error: ErrorListener | None,
        retry: RetryPolicy,
        randomness: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._buffer = buffer
        self._line = line
        self._on_error = on_error
        self._retry = retry
        self._randomness = randomness
        self._sleep = sleep
        self._work = asyncio.Event()
        self._answered = asyncio.Event()
        # of requests that are not answered completely: fewer than the events of one
        self._results: deque[event_service_pb2.PublishResult] = deque()
        self._careful = 0
        """Events next in line that go by one request after another: the server refused the stream for one."""
        self._failures = 0
        self._server_delay_s = 0.0
        self.last_failure: VidenceError | None = None
        """Why the last connection broke."""

    def wake(self) -> None:
        """Tells that there is something to send."""
        self._work.set()

    async def run(self, before_rest: Callable[[], None]) -> None:
        """Sends until cancelled; then what has no answer is given back to the buffer.

        Args:
            before_rest: Called when nothing is left to send: from then on `wake` must be called again.
        """
        try:
            await self._serve_connection(before_rest)
            while True:
                await self._sleep(self._pause_s())
                self._buffer.count("reconnects")
                await self._serve_connection(before_rest)
        finally:
            self._buffer.connection_lost()
            await self._line.close()

    async def _serve_connection(self, before_rest: Callable[[], None]) -> None:
        """Opens a connection and uses it until it breaks."""
        self._results.clear()
        connection: Connection | None = None
        try:
            connection = await self._line.connect()
            await self._exchange(connection, before_rest)
        except* VidenceError as group:
            self._failed(_first_of(group))
        finally:
            self._buffer.connection_lost()
            if connection is not None:
                await connection.close()

    async def _exchange(self, connection: Connection, before_rest: Callable[[], None]) -> None:
        opened = await self._answer(connection, FIRST_SILENCE_S)
        if not opened.HasField("connected"):
            raise VidenceError.stream_broken("the stream did not begin with `connected`")
        silence_s = SILENT_PERIODS * opened.connected.heartbeat_period.ToTimedelta().total_seconds()
        self._server_delay_s = opened.connected.retry_delay.ToTimedelta().total_seconds()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write(connection, before_rest), name="vidence publisher: requests")
            while True:
                self._take(await self._answer(connection, silence_s))

    async def _write(self, connection: Connection, before_rest: Callable[[], None]) -> None:
        while True:
            if self._buffer.unanswered >= (1 if self._careful else _IN_FLIGHT):
                self._answered.clear()
                await self._answered.wait()
            elif (batch := self._buffer.take()) is not None:
                await connection.send(batch.request)
                self._buffer.count("sent", batch.count)
            else:
                self._work.clear()
                before_rest()
                if not self._buffer.has_unsent():  # else it came before `before_rest` and nobody wakes us
                    await self._work.wait()

    async def _answer(self, connection: Connection, silence_s: float) -> Answer:
        try:
            async with asyncio.timeout(silence_s):
                encoded = await connection.receive()
        except TimeoutError:
            raise ServerUnreachable(
                f"nothing came for {silence_s:g} s", reason=ClientReason.STREAM_SILENT
            ) from None
        if encoded is None:
            raise ServerUnreachable("the server ended the stream")
        try:
            return Answer.FromString(encoded)
        except DecodeError:
            raise VidenceError.stream_broken("an answer cannot be decoded") from None

    def _take(self, answer: Answer) -> None:
        """Takes one message of the stream of answers."""
        if answer.HasField("publish_failed"):
            raise VidenceError.from_status(answer.publish_failed.status)
        # results come in the order of the events; a message may hold those of several requests
        self._results.extend(answer.publish_results.results)
        postponed: VidenceError | None = None
        while (batch := self._buffer.oldest()) is not None and len(self._results) >= batch.count:
            results = [self._results.popleft() for _ in range(batch.count)]
            postponed = self._settle(batch, results) or postponed
        if self._results and batch is None:
            raise VidenceError.stream_broken("there are more results than events")
        if postponed is not None:
            raise postponed  # all that follows waits too, so that the order is kept as far as it can be

    def _settle(
        self, batch: Batch, results: Sequence[event_service_pb2.PublishResult]
    ) -> VidenceError | None:
        """Takes the results of a request; returns why some of its events must be sent again."""
        self._failures = 0
        errors: list[tuple[int, VidenceError]] = []
        again: list[int] = []
        postponed: VidenceError | None = None
        for place, result in enumerate(results):
            if result.HasField("error"):
                error = VidenceError.from_status(result.error)
                if error.retry_after_s is None:
                    errors.append((place, error))
                else:
                    again.append(place)
                    postponed = error
        self._report(batch, errors)
        repeated = sum(result.repeated for result in results)
        self._buffer.settle(repeated=repeated, errors=len(errors), again=again)
        self._careful = max(0, self._careful - batch.count + len(again))
        self._answered.set()
        return postponed

    def _failed(self, failure: VidenceError) -> None:
        """Takes note of a connection that broke."""
        self.last_failure = failure
        self._failures += 1
        oldest = self._buffer.oldest()
        if failure.code is grpc.StatusCode.INVALID_ARGUMENT and oldest is not None:
            self._look_for_refused(oldest, failure)

    def _look_for_refused(self, oldest: Batch, failure: VidenceError) -> None:
        """Comes closer to the event for which the server refuses the stream, or it would for ever.

        It does not say which one it is, and gives no result to those that it took before: only what is in
        flight alone can be blamed.
        """
        self._careful = max(self._careful, self._buffer.unanswered_events)
        if self._buffer.unanswered > 1:
            return
        if oldest.count > 1:
            self._buffer.divide_oldest()
        else:
            self._report(oldest, [(0, failure)])
            self._buffer.settle(errors=1)
            self._careful -= 1

    def _report(self, batch: Batch, errors: Sequence[tuple[int, VidenceError]]) -> None:
        if self._on_error is None or not errors:
            return
        events = batch.events()
        for place, error in errors:
            try:
                self._on_error(event_pb2.Event.FromString(events[place]), error)
            except Exception as defect:  # noqa: BLE001 - the caller's function may fail in any way
                context = {"message": "on_error of a publisher failed", "exception": defect}
                asyncio.get_running_loop().call_exception_handler(context)

    def _pause_s(self) -> float:
        """How long to wait before the next connection, s."""
        return self._retry.reconnect_delay_s(
            self.last_failure or ServerUnreachable("the stream ended"),
            failures=max(1, self._failures),
            server_delay_s=self._server_delay_s,
            jitter=self._randomness.random(),
        )


def _first_of(group: BaseExceptionGroup[VidenceError]) -> VidenceError:
    first: VidenceError | BaseExceptionGroup[VidenceError] = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
