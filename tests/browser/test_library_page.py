"""The page of libraries, in a real browser."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from playwright.sync_api import Page, Route, expect

from browser_page import expect_everybody_can_use
from e2e_suite import LiveSuite
from vidence.library.v1 import library_pb2
from vidence.library.v1 import library_service_pb2 as pb
from vidence.library.v1 import library_service_pb2_grpc as pb_grpc

SLOW_MS = 30_000
TURNS = """async () => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((done) => setTimeout(done, 10));
}"""


@pytest.fixture
def stub(suite: LiveSuite) -> Iterator[pb_grpc.LibraryServiceStub]:
    with grpc.insecure_channel(suite.address) as channel:
        yield pb_grpc.LibraryServiceStub(channel)


@pytest.fixture
def library(stub: pb_grpc.LibraryServiceStub) -> str:
    name = f"web-{uuid.uuid4().hex[:8]}"
    stub.CreateLibrary(pb.CreateLibraryRequest(library_id=name, display_name=name, without_vectors=True))
    return name


def keep(stub: pb_grpc.LibraryServiceStub, library: str, document_id: str, text: str, year: int) -> None:
    metadata = {"year": library_pb2.MetadataValue(number_value=year)}
    document = library_pb2.Document(document_id=document_id, text=text, metadata=metadata)
    stub.CreateDocument(pb.CreateDocumentRequest(library_id=library, document=document))


def show(page: Page, library: str) -> None:
    page.goto(f"/library?id={library}")
    expect(page.locator(".stream-state")).to_have_text("Live", timeout=SLOW_MS)


def held_back(page: Page, call: str) -> list[Route]:
    """Calls of this name from now on; none of them gets an answer until the test goes on with it."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(f"**/{call}", hold)
    return held


def found(page: Page, *ids: str) -> None:
    expect(page.locator(".hit strong")).to_have_text(list(ids), timeout=SLOW_MS)


@pytest.mark.requirement("R-WE3", "R-LI5")
def test_results_follow_what_is_typed(page: Page, stub: pb_grpc.LibraryServiceStub, library: str) -> None:
    keep(stub, library, "a", "a passport from Utopia", 1999)
    keep(stub, library, "b", "a visa for Utopia", 2005)
    show(page, library)
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("passport")
    found(page, "a")
    search.press("ControlOrMeta+a")
    search.press_sequentially("visa")
    found(page, "b")
    page.locator(".hit button").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Words: rank 1")
    expect(drawer).to_contain_text("a visa for Utopia")


@pytest.mark.requirement("R-WE3", "R-LI5")
def test_the_list_changes_when_documents_arrive(
    page: Page, stub: pb_grpc.LibraryServiceStub, library: str
) -> None:
    keep(stub, library, "a", "a passport", 1999)
    keep(stub, library, "c", "a visa", 1999)
    show(page, library)
    page.get_by_role("searchbox", name="Search").fill("passport")
    found(page, "a")  # the answer to what was typed, not to the empty search before
    expect(page.get_by_role("alert")).to_have_count(0)  # by the stream, not by one call
    keep(stub, library, "b", "passport passport", 2005)
    expect(page.locator(".hit")).to_have_count(2, timeout=SLOW_MS)
    expect(page.locator(".hit.fresh strong")).to_have_text("b")
    expect(page.locator(".held")).to_have_text("3 documents")


@pytest.mark.requirement("R-WE3")
def test_metadata_filter_the_results(page: Page, stub: pb_grpc.LibraryServiceStub, library: str) -> None:
    keep(stub, library, "old", "a passport", 1999)
    keep(stub, library, "new", "a passport", 2015)
    show(page, library)
    expect(page.locator(".hit")).to_have_count(2, timeout=SLOW_MS)
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Property").fill("year")
    page.get_by_label("Condition").select_option(label="at least")
    page.get_by_label("Value").fill("2010")
    found(page, "new")
    page.get_by_role("button", name="Remove the filter").click()
    expect(page.locator(".hit")).to_have_count(2, timeout=SLOW_MS)


@pytest.mark.requirement("R-WE3", "R-LI1", "R-LI3")
def test_a_file_is_brought_in_with_a_word_on_each_bad_line_and_the_library_is_exported(
    page: Page, library: str, tmp_path: Path
) -> None:
    lines = [json.dumps({"document_id": f"d{n:03}", "text": f"page {n}"}) for n in range(450)]
    lines[220] = "no document"
    file = tmp_path / "documents.ndjson"
    file.write_text("\n".join(lines))
    show(page, library)
    for told in (
        "449 new, 0 changed, 0 were there, 1 refused",
        "0 new, 0 changed, 449 were there, 1 refused",
    ):
        page.locator("[data-choose=documents]").set_input_files(file)
        expect(page.locator(".brought")).to_contain_text(told, timeout=SLOW_MS)
        expect(page.locator(".brought li")).to_contain_text("Line 221:")
    expect(page.locator(".held")).to_have_text("449 documents", timeout=SLOW_MS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    download.value.save_as(tmp_path / "out.jsonl")
    saved = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sum("document" in line for line in saved) == 449
    assert "export_complete" in saved[-1]


@pytest.mark.requirement("R-WE3")
def test_a_library_and_a_document_are_made_by_hand(page: Page) -> None:
    page.goto("/library")
    button = page.get_by_role("button", name="New library")
    button.click()
    name = f"made-{uuid.uuid4().hex[:8]}"
    page.get_by_label("Name").fill("By hand")
    page.get_by_label("Id:").fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(f"{page.url.split('/library')[0]}/library?id={name}")
    expect(page.get_by_text("This library is empty.")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Add a document").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Id").fill("first")
    drawer.get_by_role("textbox", name="Text").fill("A first document")
    drawer.get_by_label("Properties").fill("year = 1999\nkind = letter")
    drawer.get_by_role("button", name="Keep it").click()
    expect(drawer).to_contain_text("Kept as first.", timeout=SLOW_MS)
    page.keyboard.press("Escape")
    found(page, "first")
    expect(page.locator(".hit")).to_contain_text("year 1999")


@pytest.mark.requirement("R-WE3")
@pytest.mark.parametrize("returns", [False, True], ids=["stays away", "comes back to look at another"])
def test_a_library_that_is_made_late_does_not_bring_back_who_has_left(
    page: Page, library: str, *, returns: bool
) -> None:
    held = held_back(page, "CreateLibrary")
    page.goto(f"/library?id={library}")
    made = f"late-{uuid.uuid4().hex[:8]}"
    page.get_by_role("button", name="New library").click()
    page.get_by_label("Name").fill("Late")
    page.get_by_label("Id:").fill(made)
    with page.expect_request("**/CreateLibrary"):
        page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What happens")
    if returns:
        page.go_back()
        expect(page.locator(".held")).to_have_text("0 documents", timeout=SLOW_MS)
    here = page.url
    with page.expect_response("**/CreateLibrary") as answered:
        held[0].continue_()
    answered.value.finished()
    # The page has taken the answer by then: its own work goes before that of later turns of its loop.
    page.evaluate(TURNS)
    assert page.url == here
    expect(page.get_by_role("heading", level=1)).to_have_text("Libraries" if returns else "What happens")
    # It was made all the same.
    page.goto(f"/library?id={made}")
    expect(page.get_by_text("This library is empty.")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("combobox", name="Library")).to_have_value(made)


@pytest.mark.requirement("R-WE3")
def test_a_library_that_is_made_before_the_others_are_listed_stands_beside_them(
    page: Page, library: str
) -> None:
    held = held_back(page, "ListLibraries")
    with page.expect_request("**/ListLibraries"):
        page.goto("/library")
    expect(page.get_by_text("Loading …")).to_be_visible()
    made = f"early-{uuid.uuid4().hex[:8]}"
    page.get_by_role("button", name="New library").click()
    page.get_by_label("Name").fill("Early")
    page.get_by_label("Id:").fill(made)
    page.get_by_role("button", name="Create").click()
    choice = page.get_by_role("combobox", name="Library")
    expect(choice).to_have_value(made, timeout=SLOW_MS)
    held[0].continue_()
    for name in (library, made):
        expect(choice.locator(f"option[value={name}]")).to_have_count(1, timeout=SLOW_MS)
    expect(choice).to_have_value(made)


@pytest.mark.requirement("R-WE3")
def test_a_search_is_answered_where_streams_are_held_back(
    page: Page, stub: pb_grpc.LibraryServiceStub, library: str
) -> None:
    keep(stub, library, "a", "a passport", 1999)
    page.route("**/WatchQuery", lambda route: route.abort("connectionfailed"))
    page.goto(f"/library?id={library}")
    found(page, "a")
    expect(page.get_by_role("alert")).to_contain_text("searched once, without updates")


@pytest.mark.requirement("R-WE3")
def test_everybody_can_use_it(page: Page, stub: pb_grpc.LibraryServiceStub, library: str) -> None:
    keep(stub, library, "a", "a passport from Utopia", 1999)
    page.goto(f"/library?id={library}")
    found(page, "a")
    page.locator(".filters > button").click()
    expect_everybody_can_use(page)
    page.locator(".hit button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("1999")
    expect_everybody_can_use(page)
