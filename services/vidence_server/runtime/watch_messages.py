"""Messages of watch streams that are about the stream itself, as bytes: the same in every RPC."""

from __future__ import annotations

from vidence.stream.v1 import stream_control_pb2 as pb
from vidence_server.runtime.status import to_duration
from vidence_server.streams.entry import varint
from vidence_server.streams.frames import Beat, End, EndReason, Gap, Opening
from vidence_server.streams.requests import SubscriptionRequest

# Fields 2, 3 and 4 of every watch response.
_CONTROL_TAG = b"\x12"
_CURSOR_TAG = b"\x1a"
_PREVIOUS_TAG = b"\x22"


def control_message(
    frame: Opening | Gap | Beat | End, request: SubscriptionRequest, retry_delay_s: float
) -> bytes:
    """The bytes of a watch response that has no events.

    Args:
        frame: What it tells.
        request: Of the subscription.
        retry_delay_s: How long a client that connects again is to wait, s.
    """
    match frame:
        case Opening(cursor):
            connected = pb.Connected(
                connection_id=request.connection_id,
                cursor=cursor,
                heartbeat_period=to_duration(request.heartbeat_period_s),
                retry_delay=to_duration(retry_delay_s),
            )
            return _message(pb.StreamControl(connected=connected), cursor, "")
        case Gap(cursor, previous, reason, missed):
            gap = pb.Gap(
                from_cursor=previous,
                to_cursor=cursor,
                missed_count=missed,
                reason=pb.GapReason.Value(f"GAP_REASON_{reason.name}"),
            )
            return _message(pb.StreamControl(gap=gap), cursor, previous)
        case Beat(cursor, previous):
            return _message(pb.StreamControl(heartbeat=pb.Heartbeat(cursor=cursor)), cursor, previous)
        case End(cursor, ended):
            end = pb.Disconnected(
                reason=pb.DisconnectReason.Value(f"DISCONNECT_REASON_{ended.name}"),
                retry_delay=None if ended is EndReason.ENDED else to_duration(retry_delay_s),
                cursor=cursor,
            )
            return _message(pb.StreamControl(disconnected=end), cursor, cursor)


def cursors(cursor: str, previous_cursor: str) -> bytes:
    """The fields `cursor` and `previous_cursor`."""
    parts: list[bytes] = []
    for tag, text in ((_CURSOR_TAG, cursor), (_PREVIOUS_TAG, previous_cursor)):
        if text:
            parts += [tag, varint(len(text)), text.encode()]
    return b"".join(parts)


def _message(control: pb.StreamControl, cursor: str, previous_cursor: str) -> bytes:
    encoded = control.SerializeToString()
    return b"".join((_CONTROL_TAG, varint(len(encoded)), encoded, cursors(cursor, previous_cursor)))
