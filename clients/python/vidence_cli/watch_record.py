"""What the validators need to know of one call of a watch stream."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from vidence.event.v1 import event_service_pb2
from vidence_cli.events.matching import matcher_of
from vidence_cli.wire import WireStatus
from vidence_client import conformance


def watch_record(
    request: Message, messages: Sequence[Message], status: WireStatus | None
) -> conformance.Connection:
    """Makes the record of one call.

    Args:
        request: What was asked for.
        messages: What came.
        status: How it ended; None: it did not.
    """
    wants, filtered = None, False
    if isinstance(request, event_service_pb2.SubscribeRequest) and request.HasField("filter"):
        wants, filtered = matcher_of(request.filter), True
    # a refusal before the first message is no end of a stream, a cut without a reason none by the server
    ended = status is not None and bool(messages) and (status.code == "OK" or bool(status.reason))
    return conformance.from_responses(
        messages,
        after_cursor=getattr(request, "after_cursor", ""),
        wants=wants,
        filtered=filtered,
        ended_by_server=ended,
    )
