"""HTTP requests as messages, by the rules of `google.api.http` and a few that EventSource needs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from vidence_server.bridge.contract import Match, descriptor_of
from vidence_server.bridge.fields import drop_start, members_of, put_fields
from vidence_server.bridge.forms import request_of_form
from vidence_server.bridge.framing import HTTP_BODY
from vidence_server.bridge.peer import Peer
from vidence_server.bridge.plain import from_plain
from vidence_server.core.errors import DomainError, Reason

AFTER = "after"
"""Short name of `after_cursor` in queries."""


class RequestReader:
    """Makes the messages of one call.

    Args:
        match: What is called.
        query: Its parameters, decoded.
        headers: Lower-case names.
        pool: The messages.
        max_line_bytes: Longest line of NDJSON.
    """

    def __init__(
        self,
        match: Match,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        pool: DescriptorPool,
        *,
        max_line_bytes: int = 2**20,
    ) -> None:
        self._match = match
        self._query = query
        self._headers = headers
        self._pool = pool
        self._max_line_bytes = max_line_bytes

    @property
    def content_type(self) -> str:
        """What the body is, without parameters."""
        return self._headers.get("content-type", "").partition(";")[0].strip().lower()

    async def one(self, peer: Peer) -> Message:
        """The request of a call that takes one.

        Raises:
            DomainError: REQUEST_INVALID, BODY_TOO_LARGE, CANCELLED.
        """
        kind = self._match.rpc.request
        if self.content_type == "multipart/form-data":
            members = await request_of_form(self._headers, peer.chunks(), descriptor_of(kind))
        else:
            members = self._body_members(await peer.body())
        return self._finish(members)

    def many(self, peer: Peer) -> AsyncIterator[Message]:
        """The requests of a call that takes a stream, as the body comes.

        Lines of JSON, each one request, the path's variables in the first; or raw pieces, where the request
        has a field of type google.api.HttpBody.
        """
        field = self._match.rpc.request.DESCRIPTOR.fields_by_name.get(self._match.binding.body)
        if field is not None and field.message_type is not None and field.message_type.full_name == HTTP_BODY:
            return self._raw(peer, field.name)
        return self._lines(peer)

    def watch(self) -> Message:
        """The request of a call without a body, such as a WebSocket's.

        Raises:
            DomainError: REQUEST_INVALID.
        """
        return self._finish({})

    def _body_members(self, body: bytes) -> dict[str, Any]:
        rule = self._match.binding.body
        if not body.strip() or not rule:
            return {}
        value = _parse(body)
        return dict(members_of(value)) if rule == "*" else {rule: value}

    def _finish(self, members: dict[str, Any]) -> Message:
        kind = self._match.rpc.request
        query = [("after_cursor" if name == AFTER else name, text) for name, text in self._query]
        put_fields(members, descriptor_of(kind), query)
        seen = self._headers.get("last-event-id")
        if seen and self._match.rpc.is_watch:
            # A browser comes back with the address it began with: where it is now counts.
            drop_start(members)
            members["after_cursor"] = seen
        put_fields(members, descriptor_of(kind), self._match.variables.items())
        return from_plain(members, kind, self._pool)

    async def _lines(self, peer: Peer) -> AsyncGenerator[Message, None]:
        first = True
        async for line in _split(peer.chunks(), self._max_line_bytes):
            members = dict(members_of(_parse(line)))
            if first:
                yield self._finish(members)
                first = False
            else:
                yield from_plain(members, self._match.rpc.request, self._pool)

    async def _raw(self, peer: Peer, field: str) -> AsyncGenerator[Message, None]:
        request = self._finish({})
        body = getattr(request, field)
        body.content_type = self._headers.get("content-type", "")
        async for chunk in peer.chunks():
            body.data = chunk
            yield request
            request = self._match.rpc.request()
            body = getattr(request, field)


async def _split(chunks: AsyncGenerator[bytes, None], max_bytes: int) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > max_bytes:
            raise DomainError(
                Reason.BODY_TOO_LARGE,
                f"A line has more than {max_bytes} bytes.",
                metadata={"limit": str(max_bytes)},
            )
    if rest.strip():
        yield rest


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DomainError(Reason.REQUEST_INVALID, "The body is not JSON.") from None
