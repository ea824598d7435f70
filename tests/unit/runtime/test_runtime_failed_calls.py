"""A call that fails leaves nothing that only the collector could free: it may be hundreds of images."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import grpc
import pytest

from collector_off import collector_off
from eventually import eventually
from fakes.extraction_servicer import responses, start
from fakes.runtime import Response, extraction_server, record
from vidence.extraction.v1 import extraction_service_pb2 as pb
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-ST6")


class Picture:
    """Stands for an image that somebody works on."""


class Failing:
    """Work that fails with a picture in its hands; remembers whether the picture still exists."""

    def __init__(self, error: Callable[[], Exception], *, begun: bool = True) -> None:
        self._error = error
        self._begun = begun
        self.pictures: list[weakref.ref[Picture]] = []

    async def source(self, _request: Any) -> AsyncIterator[Response]:
        picture = self.take()
        if self._begun:
            yield responses(start())[0]
        self.look_at(picture)

    def read(self, _request: Any) -> pb.ReadDocumentResponse:
        self.look_at(self.take())
        return pb.ReadDocumentResponse()

    def gone(self) -> bool:
        """Whether there were pictures and none is left."""
        return bool(self.pictures) and all(picture() is None for picture in self.pictures)

    def take(self) -> Picture:
        """A picture to work on."""
        picture = Picture()
        self.pictures.append(weakref.ref(picture))
        return picture

    def look_at(self, picture: Picture) -> None:
        """Fails."""
        try:
            raise KeyError(id(picture))
        except KeyError:
            raise self._error() from None


@pytest.fixture
def _no_collector() -> Iterator[None]:
    with collector_off():
        yield


def refused() -> DomainError:
    return DomainError(Reason.IMAGE_CORRUPT, "It is damaged.")


def several() -> ExceptionGroup[Exception]:
    return ExceptionGroup("both", [refused(), refused()])


def frames_with_requests() -> list[str]:
    """Functions that returned long ago and still hold the request of a call."""
    return [
        found.f_code.co_qualname
        for found in gc.get_objects()
        if isinstance(found, FrameType)
        and "vidence_server/runtime" in found.f_code.co_filename
        and isinstance(found.f_locals.get("request"), (pb.ExtractDocumentRequest, pb.ReadDocumentRequest))
    ]


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "at the beginning"])
@pytest.mark.parametrize("error", [refused, several, ValueError])
async def test_a_failed_stream_leaves_nothing(error: Callable[[], Exception], begun: bool) -> None:
    work = Failing(error, begun=begun)
    async with extraction_server(work.source) as running:
        for _ in range(3):
            seen = await record(running.extraction.ExtractDocument(pb.ExtractDocumentRequest(content=b"x")))
            assert seen.kinds[-1] == "extraction_failed"
        await eventually(work.gone, within_s=10)
        await eventually(lambda: not frames_with_requests(), within_s=10)


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("error", [refused, several, ValueError])
async def test_a_failed_call_leaves_nothing(error: Callable[[], Exception]) -> None:
    work = Failing(error)
    async with extraction_server(work.source, read=work.read) as running:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await running.extraction.ReadDocument(pb.ReadDocumentRequest(content=b"x"))
        await eventually(work.gone, within_s=10)
        await eventually(lambda: not frames_with_requests(), within_s=10)


@pytest.mark.usefixtures("_no_collector")
async def test_a_call_that_the_client_gave_up_leaves_nothing() -> None:
    work = Failing(refused)
    waiting = asyncio.Event()

    async def source(request: Any) -> AsyncIterator[Response]:
        picture = work.take()
        yield responses(start())[0]
        waiting.set()
        await asyncio.Event().wait()
        work.look_at(picture)

    async with extraction_server(source) as running:
        call = running.extraction.ExtractDocument(pb.ExtractDocumentRequest(content=b"x"))
        await asyncio.wait_for(waiting.wait(), 10)
        call.cancel()
        await eventually(work.gone, within_s=10)
        await eventually(lambda: not frames_with_requests(), within_s=10)
