"""Readings that go into a library before they end."""

from __future__ import annotations

import asyncio

import pytest

from fakes.batch import document
from fakes.runtime import error_info
from fakes.shelf import FakeShelf
from vidence.library.v1 import filing_pb2
from vidence_server.extraction.filing import DocumentFiling

pytestmark = pytest.mark.requirement("R-LI1")


async def filed(shelf: FakeShelf | None, content: bytes = b"image", page: int = 1) -> filing_pb2.Filing:
    return await DocumentFiling(shelf).file("default", "mine", content, page, document("one"))


async def test_the_same_image_and_page_is_the_same_document() -> None:
    shelf = FakeShelf()
    first, again = await filed(shelf), await filed(shelf)
    assert first == again
    assert first.state == filing_pb2.FILING_STATE_FILED
    other = {(await filed(shelf, b"another")).document_id, (await filed(shelf, page=2)).document_id}
    assert len({first.document_id, *other}) == len(shelf.documents) == 3


async def test_a_library_that_does_not_take_it_is_told_with_its_reason() -> None:
    away = asyncio.Event()
    away.set()
    for shelf, reason in ((FakeShelf(away=away), "NOT_READY"), (FakeShelf(known=set()), "LIBRARY_NOT_FOUND")):
        told = await filed(shelf)
        assert told.state == filing_pb2.FILING_STATE_REFUSED
        assert error_info(told.error).reason == reason
    assert error_info((await filed(None)).error).reason == "NOT_READY"
