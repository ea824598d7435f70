"""HTTP requests as messages, without a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from fakes.bridge_requests import POOL, match, peer
from vidence_server.bridge.plain import to_plain
from vidence_server.bridge.problems import problem_of
from vidence_server.bridge.requests import RequestReader
from vidence_server.core.errors import DomainError, Reason

JSON = {"content-type": "application/json"}


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
