"""HTTP requests as messages and messages as JSON, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from starlette.types import Message as AsgiMessage

from vidence_server.bridge.answers import StreamAnswer, first_of
from vidence_server.bridge.contract import Contract, Match, descriptor_bytes, message_class
from vidence_server.bridge.framing import Framing
from vidence_server.bridge.items import items_of
from vidence_server.bridge.peer import Peer
from vidence_server.bridge.plain import from_plain, to_plain
from vidence_server.bridge.problems import problem_of
from vidence_server.bridge.requests import RequestReader
from vidence_server.bridge.statistics import BridgeStatistics
from vidence_server.core.errors import DomainError, Reason

CONTRACT = Contract(descriptor_bytes())
POOL = CONTRACT.pool
JSON = {"content-type": "application/json"}


def match(verb: str, path: str) -> Match:
    found = CONTRACT.match(verb, path)
    assert found is not None
    return found


def peer(*chunks: bytes, gone: bool = False, limit: int | None = 1000) -> Peer:
    messages: list[AsgiMessage] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    waiting = iter(messages)

    async def receive() -> AsgiMessage:
        message = next(waiting, None)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    return Peer(receive, limit)


async def request(
    verb: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    reader = RequestReader(match(verb, path), query, headers or JSON, POOL)
    return to_plain(await reader.one(peer(body)), POOL)


async def refusal(*arguments: Any, **options: Any) -> DomainError:
    with pytest.raises(DomainError) as refused:
        await request(*arguments, **options)
    return refused.value


def response(name: str, members: dict[str, Any]) -> Message:
    return from_plain(members, message_class(POOL, name), POOL)


@pytest.mark.requirement("R-WE2")
async def test_a_query_sets_nested_repeated_mapped_and_typed_fields() -> None:
    query = [
        ("filter.types", "a.*"),
        ("filter.types", "b.*"),
        ("filter.attributes.shop.name", "x"),
        ("page_size", "7"),
        ("since_time", "2026-01-02T03:04:05Z"),
    ]
    assert await request("GET", "/v1/events", query) == {
        "filter": {"types": ["a.*", "b.*"], "attributes": {"shop.name": "x"}},
        "page_size": 7,
        "since_time": "2026-01-02T03:04:05Z",
    }
    assert await request("GET", "/v1/events/a%2Fb") == {"cursor": "a/b"}


@pytest.mark.requirement("R-WE2")
@pytest.mark.parametrize("name", ["colour", "filter", "filter.colour", "filter.types.x", "filter.attributes"])
async def test_a_parameter_that_is_no_field_is_refused_by_its_name(name: str) -> None:
    error = await refusal("GET", "/v1/events", [(name, "secret-value")])
    assert error.reason is Reason.REQUEST_INVALID
    assert "secret-value" not in repr(error.fields) + error.message


@pytest.mark.requirement("R-WE2")
@pytest.mark.parametrize(
    "body", [b"[]", b"nonsense", b'"x"', b'{"events": 7}', b'{"colour": "secret-value"}', b"[" * 900]
)
async def test_a_body_that_does_not_fit_is_refused_without_quoting_it(body: bytes) -> None:
    error = await refusal("POST", "/v1/events:publish", body=body)
    assert error.reason is Reason.REQUEST_INVALID
    assert "secret-value" not in repr(error.fields) + error.message


@pytest.mark.requirement("R-WE1")
async def test_where_a_browser_is_now_counts_more_than_where_it_began() -> None:
    query = [("position", "START_POSITION_EARLIEST")]
    asked = await request("GET", "/v1/events/stream", query, headers={"last-event-id": "5.1.2"})
    assert asked == {"after_cursor": "5.1.2"}
    assert await request("GET", "/v1/events/stream", [("after", "5.1.1")]) == {"after_cursor": "5.1.1"}


def form(*parts: tuple[str, str, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b""
    for name, file_name, content in parts:
        told = f'; filename="{file_name}"' if file_name else ""
        body += f'--b\r\ncontent-disposition: form-data; name="{name}"{told}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + b"--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


@pytest.mark.requirement("R-WE2")
async def test_files_of_a_form_become_the_images_of_a_batch_in_order() -> None:
    body, headers = form(
        ("files", "a.jpg", b"one"), ("document_type", "", b"passport"), ("files", "b.jpg", b"two")
    )
    asked = await request("POST", "/v1/batches:process", body=body, headers=headers)
    assert asked == {
        "images": [
            {"content": "b25l", "file_name": "a.jpg"},
            {"content": "dHdv", "file_name": "b.jpg"},
        ],
        "document_type": "passport",
    }


@pytest.mark.requirement("R-WE2")
async def test_a_form_for_a_call_that_takes_no_file_is_refused() -> None:
    body, headers = form(("file", "a.jpg", b"one"))
    error = await refusal("GET", "/v1/documentTypes", body=body, headers=headers)
    assert error.reason is Reason.REQUEST_INVALID


@pytest.mark.requirement("R-WE1")
async def test_lines_are_split_wherever_the_pieces_of_a_body_break() -> None:
    reader = RequestReader(match("POST", "/v1/events:publishStream"), (), JSON, POOL, max_line_bytes=40)
    pieces = (b'{"events":[]', b'}\n\n{"dura', b'bility":"DURABILITY_SYNCED"}')
    read = [to_plain(each, POOL) async for each in reader.many(peer(*pieces))]
    assert read == [{}, {"durability": "DURABILITY_SYNCED"}]
    with pytest.raises(DomainError) as refused:
        _ = [each async for each in reader.many(peer(b"x" * 41))]
    assert refused.value.reason is Reason.BODY_TOO_LARGE


@pytest.mark.requirement("R-LI1")
async def test_a_body_for_a_call_of_raw_pieces_goes_on_as_it_comes() -> None:
    found = match("POST", "/v1/libraries/lib_1/documents/stream")
    reader = RequestReader(found, (), {"content-type": "application/x-ndjson"}, POOL)
    read = [to_plain(each, POOL) async for each in reader.many(peer(b"ab", b"cd"))]
    assert read[0]["library_id"] == "lib_1"
    assert [each["content"]["data"] for each in read] == ["YWI=", "Y2Q="]


@pytest.mark.requirement("R-WE1")
async def test_a_body_has_a_limit_and_a_peer_that_leaves_is_noticed() -> None:
    with pytest.raises(DomainError) as large:
        await peer(b"x" * 600, b"x" * 600).body()
    assert large.value.metadata == {"limit": "1000"}
    assert problem_of(large.value).http_status == 413
    with pytest.raises(DomainError) as left:
        await peer(b"x", gone=True).body()
    assert left.value.reason is Reason.CANCELLED


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
    async with asyncio.timeout(10):
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
