"""Messages as JSON, lines and server-sent events; failures in their midst; peers that take nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from starlette.types import Message as AsgiMessage

from fakes.bridge_requests import POOL, match, peer
from vidence_server.bridge.answers import StreamAnswer, first_of
from vidence_server.bridge.calls import pieces_of
from vidence_server.bridge.contract import message_class
from vidence_server.bridge.framing import HTTP_BODY, Framing
from vidence_server.bridge.items import items_of
from vidence_server.bridge.plain import from_plain, to_plain
from vidence_server.bridge.problems import problem_of
from vidence_server.bridge.statistics import BridgeStatistics
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.status import to_status


def response(name: str, members: dict[str, Any]) -> Message:
    return from_plain(members, message_class(POOL, name), POOL)


WATCHED = {
    "events": [
        {"cursor": "1.1.4", "type": "a.b", "source": "s", "id": "7", "emit_time": "2026-01-02T03:04:05Z"},
        {"cursor": "1.1.6", "type": "line\nbreak", "source": "s", "id": "8"},
    ],
    "cursor": "1.1.7",
}


@pytest.mark.requirement("R-WE1")
def test_each_event_of_a_message_is_an_item_with_its_own_cursor() -> None:
    rpc = match("GET", "/v1/events/stream").rpc
    first, second = items_of(rpc, response("vidence.event.v1.SubscribeResponse", WATCHED), POOL)
    assert (first.cursor, first.name, second.cursor) == ("1.1.4", "a.b", "1.1.6")
    assert first.envelope == {
        "session_id": None,
        "timestamp": "2026-01-02T03:04:05Z",
        "sequence": 0,
        "type": "a.b",
        "data": {"source": "s", "id": "7", "type": "a.b"},
    }


@pytest.mark.requirement("R-WE1")
def test_events_of_a_session_are_named_by_their_payload_and_tell_the_session() -> None:
    rpc = match("GET", "/v1/sessions/ses_1/stream").rpc
    event = {"cursor": "2.1.1", "sequence": "3", "session_id": "ses_1", "warning": {}}
    [item] = items_of(rpc, response("vidence.capture.v1.WatchSessionResponse", {"events": [event]}), POOL)
    assert (item.name, item.envelope["session_id"], item.envelope["sequence"]) == ("warning", "ses_1", 3)


@pytest.mark.requirement("R-WE1")
def test_a_payload_of_a_foreign_type_is_its_bytes_and_one_of_ours_its_members() -> None:
    kind = message_class(POOL, "vidence.event.v1.ListEventsResponse")
    ours = {"@type": "type.googleapis.com/vidence.event.v1.EventKey", "source": "s", "id": "7"}
    listed: Any = from_plain({"events": [{"type": "a.b"}, {"type": "a.c", "data": ours}]}, kind, POOL)
    listed.events[0].data.type_url = "type.googleapis.com/shop.Basket"
    listed.events[0].data.value = b"\x08\x01"
    foreign = {"@type": "type.googleapis.com/shop.Basket", "value": "CAE="}
    assert [event["data"] for event in to_plain(listed, POOL)["events"]] == [foreign, ours]
    # The message itself stays what it is.
    assert listed.events[0].data.value == b"\x08\x01"


@pytest.mark.requirement("R-WE1")
def test_sse_holds_one_field_a_line_whatever_a_type_is_called() -> None:
    framing = Framing(match("GET", "/v1/events/stream").rpc, POOL, events=True)
    text = framing.write(response("vidence.event.v1.SubscribeResponse", WATCHED)).decode()
    blocks = text.split("\n\n")
    assert [block.split("\n")[:2] for block in blocks[:2]] == [
        ["id: 1.1.4", "event: a.b"],
        ["id: 1.1.6", "event: line break"],
    ]
    # The stream goes on: a browser may ask again.
    assert framing.end() == b""


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize(
    ("reason", "last"),
    [("DISCONNECT_REASON_ENDED", b"id: ended:1.1.9\n\n"), ("DISCONNECT_REASON_DRAINING", b"")],
)
def test_only_what_is_over_tells_a_browser_not_to_come_back(reason: str, last: bytes) -> None:
    framing = Framing(match("GET", "/v1/events/stream").rpc, POOL, events=True)
    control = {"disconnected": {"reason": reason, "cursor": "1.1.9"}}
    framing.write(response("vidence.event.v1.SubscribeResponse", {"control": control, "cursor": "1.1.9"}))
    assert framing.end() == last


@pytest.mark.requirement("R-WE1")
@pytest.mark.parametrize("events", [True, False])
def test_a_failure_after_the_beginning_is_told_in_the_stream(*, events: bool) -> None:
    framing = Framing(match("GET", "/v1/events/stream").rpc, POOL, events=events)
    problem = problem_of(DomainError(Reason.NOT_READY, "away", retry_after_s=2))
    assert problem.is_passing
    text = framing.fail(problem).decode()
    assert '"reason":"NOT_READY"' in text
    assert text.startswith("event: failed\n" if events else '{"error":')
    assert problem.response(POOL).headers["retry-after"] == "2"


@pytest.mark.requirement("R-WE1")
def test_a_status_without_details_keeps_its_code() -> None:
    def error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
        nothing = grpc.aio.Metadata()
        return grpc.aio.AioRpcError(code, nothing, nothing, details="secret-value")

    refused = problem_of(error(grpc.StatusCode.UNIMPLEMENTED))
    assert (refused.http_status, refused.status.message) == (501, "UNIMPLEMENTED")
    away = problem_of(error(grpc.StatusCode.UNAVAILABLE))
    assert away.http_status == 503
    assert away.plain(POOL)["details"][0]["reason"] == "NOT_READY"


@pytest.mark.requirement("R-WE1", "R-ST6")
async def test_a_peer_that_takes_nothing_is_cut_and_one_that_leaves_ends_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vidence_server.bridge.answers.STALLED_S", 0.05)
    numbers = BridgeStatistics()
    closed = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    async def send(message: AsgiMessage) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    here = peer()
    await here.body()
    framing = Framing(match("GET", "/v1/events/stream").rpc, POOL, events=True)
    answer = StreamAnswer(
        pieces(),  # type: ignore[arg-type]  # an async generator, by its yield
        here,
        framing,
        draining=asyncio.Event(),
        statistics=numbers,
    )
    async with asyncio.timeout(60):
        await answer({}, None, send)  # type: ignore[arg-type]  # it receives through its peer
    assert closed.is_set()
    assert (numbers.stalled, numbers.open_streams, numbers.streams) == (1, 0, 1)


@pytest.mark.requirement("R-WE1")
async def test_the_first_that_fails_ends_the_others() -> None:
    cancelled = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fails() -> None:
        raise DomainError(Reason.NOT_READY, "away")

    with pytest.raises(DomainError):
        await first_of(waits(), fails())
    assert cancelled.is_set()


class Reading:
    """A peer that reads, and notes what it got."""

    def __init__(self) -> None:
        self.text = b""
        self.whole = False

    async def send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.body":
            assert not self.whole, "nothing follows the end"
            self.text += message["body"]
            self.whole = not message["more_body"]


async def told_until_stopped(path: str, first: Message, *, events: bool) -> Reading:
    """What a peer has of a stream that goes on, when the bridge stops."""
    here, reading, stop = peer(), Reading(), asyncio.Event()
    await here.body()
    framing = Framing(match("GET", path).rpc, POOL, events=events)

    async def pieces() -> AsyncIterator[bytes]:
        yield framing.write(first)
        stop.set()
        await asyncio.Event().wait()

    answer = StreamAnswer(
        pieces(),  # type: ignore[arg-type]  # an async generator, by its yield
        here,
        framing,
        draining=stop,
        statistics=BridgeStatistics(),
    )
    async with asyncio.timeout(60):
        await answer({}, None, reading.send)  # type: ignore[arg-type]  # it receives through its peer
    return reading


@pytest.mark.requirement("R-WE1", "R-ST4")
@pytest.mark.parametrize("events", [True, False])
async def test_who_watches_is_told_at_a_stop_where_to_go_on(*, events: bool) -> None:
    watched = response("vidence.event.v1.SubscribeResponse", WATCHED)
    reading = await told_until_stopped("/v1/events/stream", watched, events=events)
    assert reading.whole
    if events:
        identity, name, data = reading.text.decode().strip().split("\n\n")[-1].split("\n")
        assert (identity, name) == ("id: 1.1.7", "event: disconnected")
        told = json.loads(data.removeprefix("data: "))["data"]
    else:
        told = json.loads(reading.text.splitlines()[-1])["control"]["disconnected"]
    assert told == {"reason": "DISCONNECT_REASON_DRAINING", "retry_delay": "3s", "cursor": "1.1.7"}


@pytest.mark.requirement("R-WE1", "R-ST3")
@pytest.mark.parametrize("events", [True, False])
async def test_a_result_that_a_stop_cuts_says_that_it_is_not_whole(*, events: bool) -> None:
    path = "/v1/libraries/l/search/stream"
    rpc = match("GET", path).rpc
    reading = await told_until_stopped(path, rpc.response(), events=events)
    assert reading.whole
    last = reading.text.decode().strip().split("\n")[-1]
    status = json.loads(last.removeprefix("data: "))
    assert (status if events else status["error"])["details"][0]["reason"] == "DRAINING"


@pytest.mark.requirement("R-WE1", "R-ST3")
async def test_raw_bytes_that_a_stop_cuts_have_no_end() -> None:
    path = "/v1/libraries/l/documents/stream"
    rpc = match("GET", path).rpc
    assert rpc.response.DESCRIPTOR.full_name == HTTP_BODY
    reading = await told_until_stopped(path, rpc.response(data=b"half"), events=False)
    assert (reading.text, reading.whole) == (b"half", False)


async def told_until_failed(
    path: str, first: Message, *, events: bool, status: Status | None = None
) -> Reading:
    """What a peer has of a stream whose service fails halfway, with a status of its own or none."""
    here, reading = peer(), Reading()
    await here.body()
    framing = Framing(match("GET", path).rpc, POOL, events=events)
    call = FailingCall(status)
    answer = StreamAnswer(
        pieces_of(call, first, call, framing),  # type: ignore[arg-type]  # all that is used
        here,
        framing,
        draining=asyncio.Event(),
        statistics=BridgeStatistics(),
    )
    async with asyncio.timeout(60):
        await answer({}, None, reading.send)  # type: ignore[arg-type]  # it receives through its peer
    return reading


class FailingCall:
    """A call whose second response never comes."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        nothing = grpc.aio.Metadata()
        if self._status is None:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)
        told = rpc_status.to_status(self._status)
        trailing = grpc.aio.Metadata(*told.trailing_metadata)
        raise grpc.aio.AioRpcError(told.code, nothing, trailing, details=told.details)

    def cancel(self) -> bool:
        return True


@pytest.mark.requirement("R-WE1", "R-ST3")
async def test_raw_bytes_whose_service_fails_have_no_end() -> None:
    path = "/v1/libraries/l/documents/stream"
    first = match("GET", path).rpc.response(data=b"half")
    reading = await told_until_failed(path, first, events=False)
    assert (reading.text, reading.whole) == (b"half", False)


@pytest.mark.requirement("R-WE1", "R-ST3")
async def test_raw_bytes_whose_service_says_why_they_end_are_whole() -> None:
    path = "/v1/libraries/l/documents/stream"
    first = match("GET", path).rpc.response(data=b'{"export_failed": {}}\n')
    status = to_status(DomainError(Reason.LIBRARY_NOT_FOUND, "gone"), "")
    reading = await told_until_failed(path, first, events=False, status=status)
    assert (reading.text, reading.whole) == (b'{"export_failed": {}}\n', True)


@pytest.mark.requirement("R-WE1", "R-ST3")
@pytest.mark.parametrize("events", [True, False])
async def test_a_result_whose_service_fails_ends_with_why(*, events: bool) -> None:
    path = "/v1/libraries/l/search/stream"
    reading = await told_until_failed(path, match("GET", path).rpc.response(), events=events)
    assert reading.whole
    last = reading.text.decode().strip().split("\n")[-1]
    status = json.loads(last.removeprefix("data: "))
    assert (status if events else status["error"])["details"][0]["reason"] == "NOT_READY"
