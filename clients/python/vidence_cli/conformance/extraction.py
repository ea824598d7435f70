"""Scenarios of the extraction service: its result streams."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw

from vidence.extraction.v1 import extraction_service_pb2
from vidence_cli.conformance.bench import Bench, Watched
from vidence_cli.conformance.verdicts import RESULT_GUARANTEES
from vidence_cli.wire import EXTRACT_DOCUMENT
from vidence_client import conformance

Response = extraction_service_pb2.ExtractDocumentResponse
_PATIENCE_S = 120.0


async def extract_and_judge(bench: Bench) -> None:
    """Reads a page with a little text, bytes that are no picture, and cancels in the middle."""
    page = extraction_service_pb2.ExtractDocumentRequest(content=_page(), document_type="text")
    whole = await bench.watch(page, _ended, rpc=EXTRACT_DOCUMENT, patience_s=_PATIENCE_S)
    _judge(bench, "extraction", whole, cancelled=False)
    _expect_end(bench, "extraction", whole, "extraction_complete")
    broken = extraction_service_pb2.ExtractDocumentRequest(content=b"no picture", document_type="text")
    failed = await bench.watch(broken, _ended, rpc=EXTRACT_DOCUMENT, patience_s=_PATIENCE_S)
    _judge(bench, "extraction of no picture", failed, cancelled=False)
    _expect_end(bench, "extraction of no picture", failed, "extraction_failed")
    cut = await bench.watch(page, lambda _: True, rpc=EXTRACT_DOCUMENT, patience_s=_PATIENCE_S)
    _judge(bench, "extraction, cancelled", cut, cancelled=True)


def _ended(_: Watched) -> bool:
    """Never by a message: the status shows that nothing follows the terminal one."""
    return False


def _judge(bench: Bench, scenario: str, watched: Watched, *, cancelled: bool) -> None:
    messages = [message for message in watched.messages if isinstance(message, Response)]
    found = conformance.check_result_stream(messages, cancelled=cancelled)
    bench.verdicts.judged(scenario, RESULT_GUARANTEES, found)


def _expect_end(bench: Bench, scenario: str, watched: Watched, kind: str) -> None:
    last = watched.messages[-1] if watched.messages else Response()
    ended = isinstance(last, Response) and last.WhichOneof("payload") == kind
    bench.verdicts.expect(scenario, "Terminated", ended, f"it did not end with {kind}")


def _page() -> bytes:
    picture = Image.new("RGB", (400, 120), "white")
    ImageDraw.Draw(picture).text((20, 40), "VIDENCE CONFORMANCE", fill="black", font_size=28)
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
