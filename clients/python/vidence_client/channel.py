"""The connection to a server: how it is opened, kept alive, and when a call is tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from vidence_client.credentials import Credentials, open_channel
from vidence_client.errors import VidenceError
from vidence_client.tracing import InjectTrace, TracedChannel

DEFAULT_ADDRESS = "127.0.0.1:50051"
MESSAGE_LIMIT_BYTES = 24 * 1024 * 1024
DEFAULT_TIMEOUT_S = 60.0

Req = TypeVar("Req")
Res = TypeVar("Res")
Req_contra = TypeVar("Req_contra", contravariant=True)
Res_co = TypeVar("Res_co", covariant=True)


class UnaryMethod(Protocol[Req_contra, Res_co]):
    """A unary method of an asynchronous stub."""

    def __call__(self, request: Req_contra, /, *, timeout: float | None = None) -> Awaitable[Res_co]:
        """Starts the call; `timeout` in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed call is tried again, and after how long.

    The pause grows with the attempts and is drawn with full jitter, so that clients that failed together do
    not come back together. Where the server names a delay, the client waits at least that long.

    Attributes:
        attempts: Calls made at most, the first one included.
        base_delay_s: Upper bound of the first pause, s; doubles with every attempt.
        maximum_delay_s: Upper bound of every pause, s. A server that asks for longer is not waited for.
    """

    attempts: int = 4
    base_delay_s: float = 0.1
    maximum_delay_s: float = 10.0

    def delay_s(
        self, error: VidenceError, *, attempt: int, jitter: float, stream: bool = False
    ) -> float | None:
        """Tells how long to wait before the next attempt.

        Args:
            error: What the attempt failed with.
            attempt: Which one it was, from 1.
            jitter: Drawn from [0, 1).
            stream: Whether the call opens a stream; then UNAVAILABLE alone is no reason to try again.

        Returns:
            Seconds, or None where trying again does not help.
        """
        if attempt >= self.attempts:
            return None
        pause_s = jitter * min(self.maximum_delay_s, self.base_delay_s * 2.0 ** (attempt - 1))
        if error.retry_after_s is not None:
            return error.retry_after_s + pause_s if error.retry_after_s <= self.maximum_delay_s else None
        if error.code is grpc.StatusCode.UNAVAILABLE and not stream:
            return pause_s
        return None

    def reconnect_delay_s(
        self, error: VidenceError, *, failures: int, server_delay_s: float, jitter: float
    ) -> float:
        """Tells how long to wait before a stream that lives on is connected again, s.

        Args:
            error: What the last connection broke with; a delay that it names is kept.
            failures: Connections that broke without a message in between, from 1.
            server_delay_s: The delay that the last open connection asked for, to be drawn with full jitter.
            jitter: Drawn from [0, 1).
        """
        bound_s = min(self.maximum_delay_s, self.base_delay_s * 2.0 ** min(failures - 1, 30))
        if error.retry_after_s is not None:
            return error.retry_after_s + jitter * bound_s
        return jitter * max(bound_s, server_delay_s)


class Channel:
    """One connection, shared by the clients of all services.

    Made inside the event loop that uses it.

    Args:
        address: `host:port`, or `unix:/path/to/socket`.
        retry: When calls are tried again.
        randomness: Source of the jitter.
        sleep: Waits for so many seconds.
        credentials: What calls carry; None: nothing, in plaintext.
        inject_trace: Writes the headers of the current trace; see `vidence_client.tracing`.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        retry: RetryPolicy | None = None,
        randomness: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        credentials: Credentials | None = None,
        inject_trace: InjectTrace | None = None,
    ) -> None:
        self.address = address
        self.rpc: grpc.aio.Channel = open_channel(address, channel_options(address), credentials)
        if inject_trace is not None:
            self.rpc = TracedChannel(self.rpc, inject_trace)
        self._retry = retry or RetryPolicy()
        self._randomness = randomness or random.Random()
        self._sleep = sleep

    async def call(
        self, method: UnaryMethod[Req, Res], request: Req, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Res:
        """Makes a unary call, again where that helps; `timeout`, in seconds, covers all attempts.

        Raises:
            VidenceError: The call failed; `ServerUnreachable` where nothing answered.
        """
        deadline = Deadline.after(timeout)
        attempt = 1
        while True:
            try:
                return await method(request, timeout=deadline.remaining_s())
            except grpc.aio.AioRpcError as error:
                failure = VidenceError.from_rpc_error(error)
            except asyncio.CancelledError:
                if cancelled_from_outside():
                    raise
                raise VidenceError.closed_here() from None
            if not await self.pause(failure, attempt=attempt, deadline=deadline):
                raise failure
            attempt += 1

    async def pause(
        self, error: VidenceError, *, attempt: int, deadline: Deadline, stream: bool = False
    ) -> bool:
        """Waits until the next attempt; returns False at once where there should be none."""
        jitter = self._randomness.random()
        delay_s = self._retry.delay_s(error, attempt=attempt, jitter=jitter, stream=stream)
        remaining_s = deadline.remaining_s()
        if delay_s is None or (remaining_s is not None and delay_s >= remaining_s):
            return False
        await self._sleep(delay_s)
        return True

    async def pause_before_reconnecting(
        self, error: VidenceError, *, failures: int, server_delay_s: float, bounded: bool
    ) -> bool:
        """Waits until a stream that lives on may be connected again.

        Args:
            error: What the last connection broke with.
            failures: Connections that broke without a message in between, from 1.
            server_delay_s: The delay that the last open connection asked for.
            bounded: Whether to give up after as many attempts as the retry policy allows.

        Returns:
            Whether to connect again; False at once.
        """
        if bounded and failures >= self._retry.attempts:
            return False
        jitter = self._randomness.random()
        await self._sleep(
            self._retry.reconnect_delay_s(
                error, failures=failures, server_delay_s=server_delay_s, jitter=jitter
            )
        )
        return True

    async def close(self) -> None:
        """Closes the connection; calls that still run are cancelled."""
        await self.rpc.close()


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a call must be over, on the running loop's clock; None: never."""

    time_s: float | None

    @classmethod
    def after(cls, timeout: float | None) -> Deadline:
        """Makes the deadline `timeout` seconds from now."""
        return cls(None if timeout is None else asyncio.get_running_loop().time() + timeout)

    def remaining_s(self) -> float | None:
        """Tells how many seconds are left, 0 when it has passed; None when there is no deadline."""
        return None if self.time_s is None else max(0.0, self.time_s - asyncio.get_running_loop().time())


def cancelled_from_outside() -> bool:
    """Tells whether the running task is being cancelled; if not, CancelledError means a closed channel."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def channel_options(address: str) -> list[tuple[str, int]]:
    """Gives the gRPC options of every connection to `address`."""
    options = [
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        # a frozen peer is noticed within 30 s + 20 s, also while a unary call waits
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # gRPC's own pauses, up to two minutes, would hold up those who have waited already
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if address.startswith(("127.", "localhost:", "[::1]", "unix:")):
        # a proxy set for the outside cannot reach this machine's own loopback
        options.append(("grpc.enable_http_proxy", 0))
    return options
