"""Streams as they stand on the wire: every message as its bytes, and the status at the end.

For the commands that judge or keep a stream itself; who wants events uses the SDK, which reconnects.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from vidence.batch.v1 import batch_service_pb2
from vidence.event.v1 import event_service_pb2
from vidence.extraction.v1 import extraction_service_pb2
from vidence.job.v1 import job_service_pb2
from vidence_client import Credentials, VidenceError
from vidence_client.credentials import open_channel

SUBSCRIBE = "vidence.event.v1.EventService/Subscribe"
WATCH_STATISTICS = "vidence.event.v1.EventService/WatchStatistics"
WATCH_BATCH = "vidence.batch.v1.BatchService/WatchBatch"
WATCH_JOB = "vidence.job.v1.JobService/WatchJob"
PROCESS_BATCH = "vidence.batch.v1.BatchService/ProcessBatch"
EXTRACT_DOCUMENT = "vidence.extraction.v1.ExtractionService/ExtractDocument"


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What a streaming RPC takes and gives.

    Attributes:
        request: Class of its request.
        response: Class of its messages.
        watch: Whether it is a watch stream, which resumes by cursor; else a result stream.
    """

    request: type[Message]
    response: type[Message]
    watch: bool


STREAM_KINDS: Mapping[str, StreamKind] = {
    SUBSCRIBE: StreamKind(
        event_service_pb2.SubscribeRequest, event_service_pb2.SubscribeResponse, watch=True
    ),
    WATCH_STATISTICS: StreamKind(
        event_service_pb2.WatchStatisticsRequest, event_service_pb2.WatchStatisticsResponse, watch=True
    ),
    WATCH_BATCH: StreamKind(
        batch_service_pb2.WatchBatchRequest, batch_service_pb2.WatchBatchResponse, watch=True
    ),
    WATCH_JOB: StreamKind(job_service_pb2.WatchJobRequest, job_service_pb2.WatchJobResponse, watch=True),
    PROCESS_BATCH: StreamKind(
        batch_service_pb2.ProcessBatchRequest, batch_service_pb2.ProcessBatchResponse, watch=False
    ),
    EXTRACT_DOCUMENT: StreamKind(
        extraction_service_pb2.ExtractDocumentRequest,
        extraction_service_pb2.ExtractDocumentResponse,
        watch=False,
    ),
}
"""The streaming RPCs by name, as far as the commands know them."""


@dataclass(frozen=True, slots=True)
class WireStatus:
    """How a call ended: the name of the gRPC code, the reason where one was given, and the text."""

    code: str
    reason: str = ""
    message: str = ""


class WireStream:
    """One call of a streaming RPC.

    Args:
        channel: The connection.
        rpc: A name of `STREAM_KINDS`.
        request: The request.
        timeout: Seconds for the whole call; None: no limit.
    """

    def __init__(
        self, channel: grpc.aio.Channel, rpc: str, request: Message, *, timeout: float | None = None
    ) -> None:
        method: grpc.aio.UnaryStreamMultiCallable[Message, bytes] = channel.unary_stream(
            f"/{rpc}", request_serializer=lambda sent: sent.SerializeToString()
        )
        self._call: grpc.aio.UnaryStreamCall[Any, Any] = method(request, timeout=timeout)
        self._status: WireStatus | None = None

    @property
    def status(self) -> WireStatus | None:
        """How it ended; None while it runs."""
        return self._status

    async def read(self) -> bytes | None:
        """Returns the next message, None at the end, whatever the status is."""
        if self._status is not None:
            return None
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            failure = VidenceError.from_rpc_error(error)
            self._status = WireStatus(failure.code.name, failure.reason, failure.message)
            return None
        if message is grpc.aio.EOF:
            self._status = WireStatus(grpc.StatusCode.OK.name)
            return None
        return cast(bytes, message)

    def cancel(self) -> None:
        """Cancels the call; reading goes on until its end."""
        self._call.cancel()
        self._status = self._status or WireStatus(grpc.StatusCode.CANCELLED.name)


def open_connection(address: str) -> grpc.aio.Channel:
    """Opens a channel of its own connection, with the credentials of the environment."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]
    if address.startswith(("127.", "localhost:", "[::1]", "unix:")):
        # a proxy set for the outside cannot reach this machine's own loopback
        options.append(("grpc.enable_http_proxy", 0))
    return open_channel(address, options, Credentials.from_environ(os.environ))
