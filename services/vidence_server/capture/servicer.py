"""Capture over gRPC: translates requests, results and errors; decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import capture_service_pb2_grpc as pb_grpc
from vidence_server.capture import convert
from vidence_server.capture.album import PictureAlbum
from vidence_server.capture.erasing import SubjectErasing
from vidence_server.capture.feed import ChangesOnly
from vidence_server.capture.guidance import GuidanceTexts
from vidence_server.capture.live import LiveSession
from vidence_server.capture.pushing import Incoming
from vidence_server.capture.service import CaptureService
from vidence_server.capture.session_messages import STATE_OF, to_image, to_plan, to_session
from vidence_server.capture.tenants import CaptureTenants
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.runtime.erasure_client import to_kind_counts
from vidence_server.runtime.interceptors.chain import Undecodable
from vidence_server.runtime.rpc import current_rpc, tenant_of
from vidence_server.runtime.stream_servicer import Envelope, ResultStreams
from vidence_server.runtime.watch_requests import to_watch_request
from vidence_server.runtime.watch_streams import WatchStreams
from vidence_server.streams.requests import Earliest

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Check: TypeAlias = Callable[[Message | Undecodable], None]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["CaptureService"].full_name
SELF_CHECKED = frozenset({"PushFrames"})
"""Methods whose requests are checked here: a wrong frame is told on the session's stream and ends nothing."""
_DEFAULT_PAGE = 50
_TERMINAL = {"image_complete", "image_failed"}

_ENVELOPE: Envelope[pb.GetImageResponse] = Envelope(
    connected=lambda connected: pb.GetImageResponse(connected=connected),
    heartbeat=lambda heartbeat: pb.GetImageResponse(heartbeat=heartbeat),
    failed=lambda status: pb.GetImageResponse(image_failed=pb.ImageFailed(status=status)),
    is_terminal=lambda response: response.WhichOneof("payload") in _TERMINAL,
)


class CaptureServicer(pb_grpc.CaptureServiceServicer):
    """`vidence.capture.v1.CaptureService`; its proto states what each RPC promises."""

    def __init__(
        self,
        tenants: CaptureTenants,
        *,
        album: PictureAlbum,
        texts: GuidanceTexts,
        erasing: SubjectErasing,
        results: ResultStreams,
        watches: WatchStreams,
        check: Check,
        clock: Clock,
    ) -> None:
        """A servicer.

        Args:
            tenants: Have the sessions.
            album: Has the pictures.
            texts: Knows the languages.
            erasing: Erases people.
            results: Answers `GetImage`.
            watches: Answers `WatchSession` and `WatchSessions`.
            check: Checks messages of the methods `SELF_CHECKED`.
            clock: The time of statistics.
        """
        self._tenants = tenants
        self._album = album
        self._texts = texts
        self._erasing = erasing
        self._results = results
        self._watches = watches
        self._check = check
        self._clock = clock

    async def CreateSession(  # noqa: N802 - the name of the RPC
        self,
        request: pb.CreateSessionRequest,
        context: Context,
    ) -> pb.CreateSessionResponse:
        """Makes a session."""
        service = self._own(context)
        language = self._texts.language(request.plan.language)
        plan = to_plan(request.plan, service.settings.hold, language)
        ttl_s = request.ttl.ToNanoseconds() / 1e9 if request.HasField("ttl") else None
        created = await service.create(plan, ttl_s)
        return pb.CreateSessionResponse(
            session=to_session(created.session),
            session_token=created.session_token,
            watch_token=created.watch_token,
        )

    async def PushFrames(  # noqa: N802 - the name of the RPC
        self,
        request_iterator: AsyncIterator[pb.PushFramesRequest],
        context: Context,
    ) -> pb.PushFramesResponse:
        """Takes the frames of a camera."""
        incoming = Incoming(request_iterator, self._results.draining)
        try:
            live = await self._opened(incoming, context)
            end = live.replace_pusher()
            try:
                while (message := await incoming.next(end)) is not None:
                    self._take(live, message)
            finally:
                live.pusher.leave(end)
            return convert.to_pushed(live)
        finally:
            await incoming.close()

    async def PushFrame(  # noqa: N802 - the name of the RPC
        self,
        request: pb.PushFrameRequest,
        context: Context,
    ) -> pb.PushFrameResponse:
        """Takes one frame."""
        frame = convert.to_incoming(request.frame)
        service = await self._of(request.session_id, context)
        live, number, fate = await service.push(request.session_id, request.session_token, frame)
        return convert.to_push_response(live, number, fate)

    async def WatchSession(  # type: ignore[override]  # noqa: N802 - it writes by itself; see `WatchStreams.serve`
        self, request: pb.WatchSessionRequest, context: Context
    ) -> None:
        """Tells what happens in a session."""
        service = await self._of(request.session_id, context)
        source = await service.watched(request.session_id, request.session_token)
        await self._watches.serve(context, source, to_watch_request(request, default=Earliest()))

    async def WatchSessions(  # type: ignore[override]  # noqa: N802 - as above
        self, request: pb.WatchSessionsRequest, context: Context
    ) -> None:
        """Tells all sessions."""
        feed = self._own(context).feed
        if request.WhichOneof("start") is None:
            await self._watches.serve(context, feed, to_watch_request(request, default=Earliest()))
        else:
            wanted = to_watch_request(request, default=Earliest(), wanted=ChangesOnly())
            await self._watches.serve(context, feed.log, wanted)

    async def GetSession(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetSessionRequest,
        context: Context,
    ) -> pb.GetSessionResponse:
        """Gives a session."""
        service = await self._of(request.session_id, context)
        session = await service.get(request.session_id, request.session_token)
        return pb.GetSessionResponse(session=to_session(session))

    async def GetSessionEvidence(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetSessionEvidenceRequest,
        context: Context,
    ) -> pb.GetSessionEvidenceResponse:
        """Gives scores."""
        return convert.to_evidence(await self._own(context).evidence(request.session_id))

    async def ConfirmCapture(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ConfirmCaptureRequest,
        context: Context,
    ) -> pb.ConfirmCaptureResponse:
        """Says whether a picture is good."""
        service = await self._of(request.session_id, context)
        session = service.confirm(request.session_id, request.session_token, retake=request.retake)
        return pb.ConfirmCaptureResponse(session=to_session(session))

    async def CancelSession(  # noqa: N802 - the name of the RPC
        self,
        request: pb.CancelSessionRequest,
        context: Context,
    ) -> pb.CancelSessionResponse:
        """Ends a session."""
        service = await self._of(request.session_id, context)
        session = await service.cancel(request.session_id, request.session_token)
        return pb.CancelSessionResponse(session=to_session(session))

    async def ListSessions(  # noqa: N802 - the name of the RPC
        self,
        request: pb.ListSessionsRequest,
        context: Context,
    ) -> pb.ListSessionsResponse:
        """Lists a page."""
        sessions, token = await self._own(context).list(
            states=[STATE_OF[state] for state in request.states],
            reference=request.reference,
            page_size=request.page_size or _DEFAULT_PAGE,
            page_token=request.page_token,
        )
        return pb.ListSessionsResponse(sessions=map(to_session, sessions), next_page_token=token)

    def GetImage(  # noqa: N802 - the name of the RPC
        self, request: pb.GetImageRequest, context: Context
    ) -> AsyncIterator[pb.GetImageResponse]:
        """Gives a picture in pieces."""
        return self._results.serve(context, self._pieces(request, context), envelope=_ENVELOPE)

    async def EraseSubject(  # noqa: N802 - the name of the RPC
        self,
        request: pb.EraseSubjectRequest,
        context: Context,
    ) -> pb.EraseSubjectResponse:
        """Erases a subject."""
        erased = await self._erasing.erase(tenant_of(context), request.subject_id, dry_run=request.dry_run)
        return pb.EraseSubjectResponse(kinds=to_kind_counts(erased), review_subjects=erased.review_subjects)

    async def GetStreamStatistics(  # noqa: N802 - the name of the RPC
        self,
        request: pb.GetStreamStatisticsRequest,  # noqa: ARG002 - the signature of the generated base
        context: Context,
    ) -> pb.GetStreamStatisticsResponse:
        """Gives the numbers."""
        book = self._own(context).book
        return convert.to_statistics(book.totals(), book, self._clock.now())

    def _own(self, context: Context) -> CaptureService:
        """The sessions of the caller's tenant."""
        return self._tenants.of(tenant_of(context))

    async def _of(self, session_id: str, context: Context) -> CaptureService:
        """The same; those of the session's owner for a caller with nothing but its token."""
        return await self._tenants.of_session(session_id) if _session_only() else self._own(context)

    async def _opened(self, incoming: Incoming[pb.PushFramesRequest], context: Context) -> LiveSession:
        first = await incoming.next()
        if isinstance(first, pb.PushFramesRequest):
            self._check(first)
            if first.HasField("opening"):
                service = await self._of(first.opening.session_id, context)
                return service.pushing(first.opening.session_id, first.opening.session_token)
        raise DomainError(Reason.REQUEST_INVALID, "The first message must be `opening`.")

    def _take(self, live: LiveSession, message: pb.PushFramesRequest) -> None:
        """Takes a frame of a stream; what is wrong with it is told on the session's stream."""
        try:
            self._check(message)
            if not message.HasField("frame"):
                raise DomainError(Reason.REQUEST_INVALID, "Only the first message may be `opening`.")
        except DomainError as error:
            live.refuse(error)
            return
        try:
            live.offer(convert.to_incoming(message.frame))
        except DomainError:
            return  # `offer` has told it; the next message finds the session over, if it is

    async def _pieces(
        self, request: pb.GetImageRequest, context: Context
    ) -> AsyncGenerator[pb.GetImageResponse, None]:
        if _session_only():
            service = await self._tenants.of_image(request.image_id)
        else:
            service = self._own(context)
        found = await self._album.find(service.tenant, request.image_id)
        if request.session_token:
            await service.check_token(found.session_id, request.session_token)
        start = pb.ImageStart(image=to_image(found.reference), size_bytes=found.size_bytes)
        yield pb.GetImageResponse(image_start=start)
        offset = 0
        async for piece in found.pieces():
            yield pb.GetImageResponse(image_chunk=pb.ImageChunk(offset=offset, data=piece))
            offset += len(piece)
        yield pb.GetImageResponse(image_complete=pb.ImageComplete())


def _session_only() -> bool:
    """Whether the caller has no credential but the session's token, which every use of a session checks."""
    rpc = current_rpc()
    return rpc is not None and rpc.session_only
