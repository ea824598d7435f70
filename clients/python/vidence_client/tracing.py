"""Lets the calls of a client belong to the trace of whoever makes them.

The client makes no spans and needs no tracing package: it is given what writes the headers.

```python
from opentelemetry.propagate import inject

client = Client("127.0.0.1:8080", inject_trace=inject)
```
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import grpc

InjectTrace = Callable[[dict[str, str]], object]
"""Writes the headers of the current trace (`traceparent`, `tracestate`) into a dictionary."""


class TracedChannel(grpc.aio.Channel):
    """A channel whose calls carry the trace of the task that makes them.

    Args:
        channel: The connection.
        inject: Writes the headers; asked at every call, so that each has the span that is current then.
    """

    def __init__(self, channel: grpc.aio.Channel, inject: InjectTrace) -> None:
        self._channel = channel
        self._inject = inject

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """As the channel's."""
        return self._carrying(self._channel.unary_unary(*arguments, **options))

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """As the channel's."""
        return self._carrying(self._channel.unary_stream(*arguments, **options))

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """As the channel's."""
        return self._carrying(self._channel.stream_unary(*arguments, **options))

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """As the channel's."""
        return self._carrying(self._channel.stream_stream(*arguments, **options))

    def _carrying(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, metadata: Any = None, **options: Any) -> Any:
            headers: dict[str, str] = {}
            self._inject(headers)
            carried = [(key.lower(), value) for key, value in headers.items()]
            return method(*arguments, metadata=(*(metadata or ()), *carried), **options)

        return call

    async def close(self, grace: float | None = None) -> None:
        """Closes the connection."""
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """As the channel's."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As the channel's."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As the channel's."""
        await self._channel.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        await self.close()
