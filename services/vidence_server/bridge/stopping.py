"""How the bridge stops: who watches is told, who asked is answered, no connection closes by surprise."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LAST_CALLS_S = 0.5
"""It still takes requests for so long, and closes each connection with an answer that says so."""
LAST_WORDS_S = 2
"""What is left after the grace has this long to say that it failed."""


class ClosingAnswers:
    """ASGI middleware. While the bridge stops, each answer says that its connection ends with it.

    Closed without that word, a connection may just have been chosen by Envoy for the next request. That one
    is lost then, and Envoy repeats it only where repeating is known to be harmless.

    Args:
        app: Answers.
        draining: Set when the bridge stops.
    """

    def __init__(self, app: ASGIApp, draining: asyncio.Event) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._draining.is_set():
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, closing if scope["type"] == "http" else send)


class StoppableServer(uvicorn.Server):
    """Stops in order: streams, last calls, no more connections, the grace of what runs, last words.

    Args:
        config: Of uvicorn.
        draining: Set at the signal: streams that are watched end, and clients come back.
        overdue: Set when the grace is over: what still runs is told so.
        grace_s: Time that running calls get to finish, from the signal on.
    """

    def __init__(
        self, config: uvicorn.Config, draining: asyncio.Event, overdue: asyncio.Event, grace_s: float
    ) -> None:
        config.timeout_graceful_shutdown = math.ceil(grace_s) + LAST_WORDS_S
        super().__init__(config)
        self._draining, self._overdue = draining, overdue
        self._grace_s = grace_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to stop; asked twice, it takes no last calls."""
        if self._draining.is_set():
            super().handle_exit(sig, frame)
            return
        self._draining.set()
        loop = asyncio.get_running_loop()
        loop.call_later(LAST_CALLS_S, super().handle_exit, sig, frame)
        loop.call_later(self._grace_s, self._overdue.set)

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # as uvicorn has it
        """Takes the signals while it serves, and does not raise them again: to stop when asked is right."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
