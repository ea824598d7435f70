"""Client of the capture service: sessions, their frames, and what happens in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc

from vidence.capture.v1 import (
    capture_service_pb2,
    capture_service_pb2_grpc,
    session_event_pb2,
    session_pb2,
)
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel, cancelled_from_outside
from vidence_client.errors import VidenceError
from vidence_client.selection import WatchStart
from vidence_client.stream import Envelope, Stream, StreamCall, envelope_of
from vidence_client.watch import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

SessionWatch = Watch[capture_service_pb2.WatchSessionResponse, session_event_pb2.CaptureEvent]
SessionsWatch = Watch[capture_service_pb2.WatchSessionsResponse, session_event_pb2.SessionsEvent]

_ENVELOPE: Envelope[capture_service_pb2.GetImageResponse] = envelope_of("image_complete", "image_failed")


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Names a session and proves that its holder may take part.

    Attributes:
        session_id: The session.
        token: Its `session_token`, or its `watch_token` where watching is enough.
    """

    session_id: str
    token: str


def make_frame(
    content: bytes, *, number: int = 0, taken: datetime | None = None
) -> capture_service_pb2.Frame:
    """Makes a frame of a JPEG, PNG or WebP file.

    Args:
        content: The file.
        number: Counts the frames of the camera; 0: the server counts.
        taken: When the camera took it, with a time zone; None: not known.
    """
    frame = capture_service_pb2.Frame(encoded=content, frame_number=number)
    if taken is not None:
        frame.capture_time.FromDatetime(taken)
    return frame


def make_raw_frame(
    bgr: bytes, width_px: int, height_px: int, *, number: int = 0, taken: datetime | None = None
) -> capture_service_pb2.Frame:
    """Makes a frame of pixels, blue, green and red, row by row; the rest as in `make_frame`."""
    raw = capture_service_pb2.RawPicture(bgr=bgr, width_px=width_px, height_px=height_px)
    frame = make_frame(b"", number=number, taken=taken)
    frame.raw.CopyFrom(raw)
    return frame


class CaptureClient:
    """Runs capture sessions over one channel. `Client.capture` is one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = capture_service_pb2_grpc.CaptureServiceStub(channel.rpc)

    async def create_session(
        self,
        plan: session_pb2.SessionPlan,
        *,
        ttl_s: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> capture_service_pb2.CreateSessionResponse:
        """Creates a session.

        Args:
            plan: What it is to do.
            ttl_s: How long it may take, s; None: the server's default.
            timeout: Seconds for all attempts.

        Returns:
            The session and its tokens, which are given here only.

        Raises:
            VidenceError: The plan was refused, SESSION_LIMIT, …; `ServerUnreachable` where nothing answered.
        """
        request = capture_service_pb2.CreateSessionRequest(plan=plan)
        if ttl_s is not None:
            request.ttl.FromTimedelta(timedelta(seconds=ttl_s))
        return await self._channel.call(self._stub.CreateSession, request, timeout=timeout)

    async def push_frames(
        self, key: SessionKey, frames: AsyncIterable[capture_service_pb2.Frame]
    ) -> capture_service_pb2.PushFramesResponse:
        """Pushes the frames of a camera until they end or the session is over.

        A frame that the server refuses does not end the call: watch the session to hear of it.

        Args:
            key: The session and its `session_token`.
            frames: As `make_frame` makes them.

        Raises:
            VidenceError: SESSION_ENDED, PUSHER_REPLACED, …; `ServerUnreachable` where nothing answered.
        """

        async def messages() -> AsyncIterator[capture_service_pb2.PushFramesRequest]:
            opening = capture_service_pb2.PushOpening(session_id=key.session_id, session_token=key.token)
            yield capture_service_pb2.PushFramesRequest(opening=opening)
            async for frame in frames:
                yield capture_service_pb2.PushFramesRequest(frame=frame)

        try:
            return await self._stub.PushFrames(messages())
        except grpc.aio.AioRpcError as error:
            raise VidenceError.from_rpc_error(error) from None
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            raise VidenceError.closed_here() from None

    async def push_frame(
        self,
        key: SessionKey,
        frame: capture_service_pb2.Frame,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> capture_service_pb2.PushFrameResponse:
        """Pushes one frame and waits until it was looked at, or replaced by a newer one.

        Not tried again by itself: by then there is a newer frame.

        Raises:
            VidenceError: The frame or the session was refused; `ServerUnreachable` where nothing answered.
        """
        request = capture_service_pb2.PushFrameRequest(
            session_id=key.session_id, session_token=key.token, frame=frame
        )
        try:
            return await self._stub.PushFrame(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise VidenceError.from_rpc_error(error) from None

    def watch_session(
        self,
        key: SessionKey,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> SessionWatch:
        """Watches a session from its first event, or after a cursor, to its end.

        Nothing happens until the first event is asked for.

        Args:
            key: The session and one of its tokens.
            after: After the event or message with this cursor; empty: from the first.
            on_gap: Hears what cannot be delivered any more, as after a restart of the server. Without it,
                that is raised.
            on_reconnect: Hears why a connection was replaced.
            heartbeat_period_s: How often the stream shows that it is alive, 1–300 s.
        """
        start = WatchStart(
            after=after, skip_expired=on_gap is not None, heartbeat_period_s=heartbeat_period_s
        )

        def begin(position: str) -> StreamCall:
            request = capture_service_pb2.WatchSessionRequest(
                session_id=key.session_id, session_token=key.token
            )
            start.apply(request, position)
            return self._stub.WatchSession(request)

        return Watch(
            begin,
            lambda response: response.events,
            self._channel,
            after=after,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
        )

    def watch_sessions(
        self,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> SessionsWatch:
        """Watches all sessions: a snapshot first, then changes; arguments as in `watch_session`."""
        start = WatchStart(
            after=after, skip_expired=on_gap is not None, heartbeat_period_s=heartbeat_period_s
        )

        def begin(position: str) -> StreamCall:
            request = capture_service_pb2.WatchSessionsRequest()
            start.apply(request, position)
            return self._stub.WatchSessions(request)

        return Watch(
            begin,
            lambda response: response.events,
            self._channel,
            after=after,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
        )

    async def get_session(
        self, session_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Gives a session as it is now; `token` where the caller is no back end."""
        request = capture_service_pb2.GetSessionRequest(session_id=session_id, session_token=token)
        return (await self._channel.call(self._stub.GetSession, request, timeout=timeout)).session

    async def get_evidence(
        self, session_id: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> capture_service_pb2.GetSessionEvidenceResponse:
        """Gives what verdicts rest on, scores among it. For back ends."""
        request = capture_service_pb2.GetSessionEvidenceRequest(session_id=session_id)
        return await self._channel.call(self._stub.GetSessionEvidence, request, timeout=timeout)

    async def confirm(
        self, key: SessionKey, *, retake: bool = False, timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Says that the picture is good, or that it is to be taken again."""
        request = capture_service_pb2.ConfirmCaptureRequest(
            session_id=key.session_id, session_token=key.token, retake=retake
        )
        return (await self._channel.call(self._stub.ConfirmCapture, request, timeout=timeout)).session

    async def cancel_session(
        self, session_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Ends a session; one that is over stays as it is."""
        request = capture_service_pb2.CancelSessionRequest(session_id=session_id, session_token=token)
        return (await self._channel.call(self._stub.CancelSession, request, timeout=timeout)).session

    async def list_sessions(
        self,
        *,
        states: Sequence[session_pb2.SessionState.ValueType] = (),
        reference: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> capture_service_pb2.ListSessionsResponse:
        """Gives one page of sessions, the newest first.

        Args:
            states: Only those in one of these states; none: all.
            reference: Only those with it; empty: all.
            page_size: Sessions at most, up to 1,000; 0: the server's default.
            page_token: `next_page_token` of the page before; empty: the first page.
            timeout: Seconds for all attempts.
        """
        request = capture_service_pb2.ListSessionsRequest(
            states=states, reference=reference, page_size=page_size, page_token=page_token
        )
        return await self._channel.call(self._stub.ListSessions, request, timeout=timeout)

    def image_stream(
        self, image_id: str, *, token: str = "", timeout: float | None = None
    ) -> Stream[capture_service_pb2.GetImageResponse]:
        """Gives a picture in pieces; `token` where the caller is no back end."""
        request = capture_service_pb2.GetImageRequest(image_id=image_id, session_token=token)

        async def start(remaining_s: float | None) -> StreamCall:
            return self._stub.GetImage(request, timeout=remaining_s)

        return Stream(start, _ENVELOPE, self._channel, timeout=timeout)

    async def get_image(self, image_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Gives all bytes of a picture.

        Raises:
            VidenceError: IMAGE_NOT_FOUND, BLOB_NOT_FOUND where it has expired, SESSION_TOKEN_INVALID.
        """
        async with self.image_stream(image_id, token=token, timeout=timeout) as stream:
            return b"".join([message.image_chunk.data async for message in stream])

    async def statistics(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> capture_service_pb2.GetStreamStatisticsResponse:
        """Gives the numbers of streams and frames as they are now."""
        request = capture_service_pb2.GetStreamStatisticsRequest()
        return await self._channel.call(self._stub.GetStreamStatistics, request, timeout=timeout)
