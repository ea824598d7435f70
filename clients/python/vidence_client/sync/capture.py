"""Capture sessions from plain code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from vidence.capture.v1 import capture_service_pb2, session_event_pb2, session_pb2
from vidence_client.capture import CaptureClient as AsyncCaptureClient
from vidence_client.capture import SessionKey
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.sync.loop_thread import LoopThread
from vidence_client.sync.stream import Watch
from vidence_client.watch_shape import GapListener, ReconnectListener

SessionWatch = Watch[capture_service_pb2.WatchSessionResponse, session_event_pb2.CaptureEvent]
SessionsWatch = Watch[capture_service_pb2.WatchSessionsResponse, session_event_pb2.SessionsEvent]


class CaptureClient:
    """Runs capture sessions, for plain code; see `vidence_client.capture.CaptureClient`."""

    def __init__(self, client: AsyncCaptureClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def create_session(
        self,
        plan: session_pb2.SessionPlan,
        *,
        ttl_s: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> capture_service_pb2.CreateSessionResponse:
        """Creates a session; arguments and errors as in the asynchronous client."""
        return self._thread.run(self._client.create_session(plan, ttl_s=ttl_s, timeout=timeout))

    def push_frames(
        self, key: SessionKey, frames: Iterable[capture_service_pb2.Frame]
    ) -> capture_service_pb2.PushFramesResponse:
        """Pushes frames until they end or the session is over; `frames` is gone through in a thread."""
        return self._thread.run(self._client.push_frames(key, _in_thread(frames)))

    def push_frame(
        self, key: SessionKey, frame: capture_service_pb2.Frame, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> capture_service_pb2.PushFrameResponse:
        """Pushes one frame and waits until it was looked at, or replaced by a newer one."""
        return self._thread.run(self._client.push_frame(key, frame, timeout=timeout))

    def watch_session(
        self,
        key: SessionKey,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> SessionWatch:
        """Watches a session to its end."""
        watch = self._client.watch_session(
            key,
            after=after,
            on_gap=on_gap,
            on_reconnect=on_reconnect,
            heartbeat_period_s=heartbeat_period_s,
        )
        return Watch(watch, self._thread)

    def watch_sessions(
        self,
        *,
        after: str = "",
        on_gap: GapListener | None = None,
        on_reconnect: ReconnectListener | None = None,
        heartbeat_period_s: float | None = None,
    ) -> SessionsWatch:
        """Watches all sessions: a snapshot first, then changes."""
        watch = self._client.watch_sessions(
            after=after, on_gap=on_gap, on_reconnect=on_reconnect, heartbeat_period_s=heartbeat_period_s
        )
        return Watch(watch, self._thread)

    def get_session(
        self, session_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Gives a session as it is now."""
        return self._thread.run(self._client.get_session(session_id, token=token, timeout=timeout))

    def get_evidence(
        self, session_id: str, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> capture_service_pb2.GetSessionEvidenceResponse:
        """Gives what verdicts rest on. For back ends."""
        return self._thread.run(self._client.get_evidence(session_id, timeout=timeout))

    def confirm(
        self, key: SessionKey, *, retake: bool = False, timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Says that the picture is good, or that it is to be taken again."""
        return self._thread.run(self._client.confirm(key, retake=retake, timeout=timeout))

    def cancel_session(
        self, session_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S
    ) -> session_pb2.Session:
        """Ends a session."""
        return self._thread.run(self._client.cancel_session(session_id, token=token, timeout=timeout))

    def list_sessions(
        self,
        *,
        states: Sequence[session_pb2.SessionState.ValueType] = (),
        reference: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> capture_service_pb2.ListSessionsResponse:
        """Gives one page of sessions, the newest first."""
        page = self._client.list_sessions(
            states=states, reference=reference, page_size=page_size, page_token=page_token, timeout=timeout
        )
        return self._thread.run(page)

    def get_image(self, image_id: str, *, token: str = "", timeout: float = DEFAULT_TIMEOUT_S) -> bytes:
        """Gives all bytes of a picture."""
        return self._thread.run(self._client.get_image(image_id, token=token, timeout=timeout))

    def statistics(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> capture_service_pb2.GetStreamStatisticsResponse:
        """Gives the numbers of streams and frames as they are now."""
        return self._thread.run(self._client.statistics(timeout=timeout))


async def _in_thread(
    frames: Iterable[capture_service_pb2.Frame],
) -> AsyncIterator[capture_service_pb2.Frame]:
    """Frames of a camera that blocks, without holding the client's loop."""
    source = iter(frames)
    while (frame := await asyncio.to_thread(next, source, None)) is not None:
        yield frame
