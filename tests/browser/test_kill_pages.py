"""kill -9 of the server under open pages: they come back by cursor, and nothing is lost or told twice."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from browser_page import WEB
from e2e.bridge_door import Door
from e2e.bus_process import free_port
from e2e_suite import LiveSuite, start_suite, stop_suite
from vidence.event.v1 import event_pb2
from vidence.library.v1 import library_pb2
from vidence.library.v1 import library_service_pb2 as library_rpc
from vidence.library.v1 import library_service_pb2_grpc as library_grpc
from vidence_client.sync import Client

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
WAIT_MS = 120_000
"""A server that was killed loads its models again, beside other tests on two cores."""


class Mortal:
    """A suite with data and port of its own, which is killed and started again."""

    def __init__(self, data: Path) -> None:
        self._environ = {"VIDENCE_DATA_DIR": str(data), "VIDENCE_SERVER__PORT": str(free_port())}
        self.live: LiveSuite = start_suite(environ=self._environ)
        self.address = self.live.address

    def kill_and_start(self) -> None:
        os.kill(self.live.process.pid, signal.SIGKILL)
        stop_suite(self.live)
        self.live = start_suite(environ=self._environ)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    suite = Mortal(tmp_path / "data")
    yield suite
    stop_suite(suite.live)


@pytest.fixture
def pages(browser: Browser, mortal: Mortal, tmp_path: Path) -> Iterator[tuple[Page, Page, Page]]:
    """Three tabs of one browser."""
    door = Door(tmp_path / "door", mortal.address, BRIDGE__PAGES_DIR=str(WEB / "app" / "dist"))
    context = None
    try:
        door.start()
        context = browser.new_context(base_url=door.tls_url, ignore_https_errors=True, locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        opened = (context.new_page(), context.new_page(), context.new_page())
        thrown: list[str] = []
        for page in opened:
            # The console also tells of each call that Envoy answers while the server is away.
            page.on("pageerror", lambda error: thrown.append(str(error)))
        yield opened
        assert thrown == []
    finally:
        if context is not None:
            context.close()
        door.close()


def publish(address: str, topic: str, *names: str) -> None:
    with Client(address) as client:
        for name in names:
            client.events.publish(
                event_pb2.Event(source="vidence/test", id=f"{topic}-{name}", type=f"{topic}.{name}")
            )


def keep(address: str, library: str, *ids: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = library_grpc.LibraryServiceStub(channel)
        for document_id in ids:
            document = library_pb2.Document(document_id=document_id, text=f"passport {document_id}")
            stub.CreateDocument(library_rpc.CreateDocumentRequest(library_id=library, document=document))


def cursors_of(page: Page, method: str) -> list[bytes]:
    """What the page asks for from now on."""
    asked: list[bytes] = []

    def note(request: Request) -> None:
        if request.url.endswith(f"/{method}"):
            asked.append(request.post_data_buffer or b"")

    page.on("request", note)
    return asked


def show_dashboard(page: Page, topic: str) -> None:
    page.goto("/")
    with page.expect_response("**/ListEvents"):
        page.get_by_label("Types").fill(f"{topic}.*")
        page.get_by_label("Types").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Live", timeout=WAIT_MS)


def start_batch(page: Page, folder: Path, number: int) -> None:
    files = []
    for place in range(number):
        files.append(folder / f"{place}.jpg")
        files[-1].write_bytes((SAMPLES / "passport.jpg").read_bytes())
    page.goto("/batch")
    page.locator("[data-choose=files]").set_input_files(files)
    expect(page.locator(".image-row.read").first).to_be_visible(timeout=WAIT_MS)


def show_library(page: Page, address: str) -> str:
    name = f"web-{uuid.uuid4().hex[:8]}"
    with grpc.insecure_channel(address) as channel:
        request = library_rpc.CreateLibraryRequest(library_id=name, display_name=name, without_vectors=True)
        library_grpc.LibraryServiceStub(channel).CreateLibrary(request)
    keep(address, name, "a", "b")
    page.goto(f"/library?id={name}")
    expect(page.locator(".stream-state")).to_have_text("Live", timeout=WAIT_MS)
    expect(page.locator(".hit")).to_have_count(2, timeout=WAIT_MS)
    return name


@pytest.mark.requirement("R-WE3", "R-ST4", "R-ST3")
@pytest.mark.timeout(600)
def test_open_pages_outlive_the_server(
    pages: tuple[Page, Page, Page], mortal: Mortal, tmp_path: Path
) -> None:
    feed, batch, library = pages
    topic = f"web{uuid.uuid4().hex[:8]}"
    show_dashboard(feed, topic)
    publish(mortal.address, topic, "one", "two")
    expect(feed.locator(".event-row")).to_have_count(2, timeout=WAIT_MS)
    name = show_library(library, mortal.address)
    start_batch(batch, tmp_path, 6)
    asked = cursors_of(batch, "WatchBatch")

    mortal.kill_and_start()

    publish(mortal.address, topic, "three")
    expect(feed.locator(".event-row")).to_have_count(3, timeout=WAIT_MS)
    types = feed.locator(".event-row strong").all_inner_texts()
    assert types == [f"{topic}.{event}" for event in ("three", "two", "one")]
    keep(mortal.address, name, "c")
    expect(library.locator(".hit")).to_have_count(3, timeout=WAIT_MS)
    assert sorted(library.locator(".hit strong").all_inner_texts()) == ["a", "b", "c"]
    # What was being read when the server died is read again; what was told is not told again.
    expect(batch.locator(".told")).to_have_text("6 of 6 read", timeout=WAIT_MS)
    expect(batch.locator(".image-row.read")).to_have_count(6)
    assert any(b"." in body for body in asked), "the page went on from a cursor"
