"""How the bridge stops: last calls, last answers, last words."""

from __future__ import annotations

import asyncio
import signal

import pytest
import uvicorn
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from eventually import eventually
from vidence_server.bridge.stopping import LAST_WORDS_S, ClosingAnswers, StoppableServer


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def headers_of(application: ClosingAnswers) -> list[tuple[bytes, bytes]]:
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    await application({"type": "http"}, receive, send)
    return list(sent[0]["headers"])


@pytest.mark.requirement("R-WE1", "R-OP2")
async def test_an_answer_closes_its_connection_only_while_the_bridge_stops() -> None:
    draining = asyncio.Event()
    application = ClosingAnswers(hello, draining)
    assert await headers_of(application) == [(b"content-type", b"text/plain")]
    draining.set()
    assert await headers_of(application) == [(b"content-type", b"text/plain"), (b"connection", b"close")]


def stoppable(grace_s: float) -> tuple[StoppableServer, asyncio.Event, asyncio.Event]:
    draining, overdue = asyncio.Event(), asyncio.Event()
    return StoppableServer(uvicorn.Config(hello), draining, overdue, grace_s), draining, overdue


@pytest.mark.requirement("R-OP2")
async def test_watchers_are_told_first_then_come_last_calls_then_the_end_of_the_grace() -> None:
    server, draining, overdue = stoppable(0.7)
    server.handle_exit(signal.SIGTERM, None)
    assert (draining.is_set(), server.should_exit, overdue.is_set()) == (True, False, False)
    await eventually(lambda: server.should_exit)
    await eventually(overdue.is_set)
    # What is cut at the end of the grace can still be told so.
    assert server.config.timeout_graceful_shutdown == 1 + LAST_WORDS_S


@pytest.mark.requirement("R-OP2")
async def test_who_asks_twice_waits_for_no_last_calls() -> None:
    server, _, _ = stoppable(60)
    server.handle_exit(signal.SIGINT, None)
    server.handle_exit(signal.SIGINT, None)
    assert server.should_exit
