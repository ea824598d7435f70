"""The page of batches, in a real browser."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from browser_page import expect_everybody_can_use

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
READ_MS = 90_000
ENDED = re.compile(r"^\d+ of \d+ read")


@pytest.fixture
def passport(tmp_path: Path) -> Path:
    return copy(tmp_path, "passport.jpg")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The beginning of a picture."""
    path = tmp_path / "broken.jpg"
    path.write_bytes((SAMPLES / "passport.jpg").read_bytes()[:2000])
    return path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    return path


def copy(folder: Path, name: str, sample: str = "passport.jpg") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((SAMPLES / sample).read_bytes())
    return path


def several(folder: Path, number: int) -> list[Path]:
    return [copy(folder, f"{place}.jpg") for place in range(number)]


def choose(page: Page, files: Sequence[Path]) -> None:
    page.locator("[data-choose=files]").set_input_files(files)


def row(page: Page, name: str) -> Locator:
    return page.locator(".image-row").filter(has=page.get_by_text(name, exact=True))


def calls(page: Page, method: str) -> list[Request]:
    """Calls of a method from now on."""
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request) if request.url.endswith(f"/{method}") else None)
    return seen


def wait_until_ended(page: Page) -> None:
    expect(page.locator(".told")).to_have_text(ENDED, timeout=READ_MS)


@pytest.mark.requirement("R-WE3", "R-BA2")
def test_results_come_one_by_one_and_errors_stand_at_their_files(
    page: Page, passport: Path, broken: Path, notes: Path, tmp_path: Path
) -> None:
    page.goto("/batch")
    choose(page, [passport, broken, notes, *several(tmp_path, 4)])
    first = page.locator(".image-row.read").first
    expect(first).to_be_visible(timeout=READ_MS)
    # The first result is there, and can be opened, before the last one is read.
    expect(page.locator(".told")).to_contain_text("of 7 done")
    first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("document.number")
    page.keyboard.press("Escape")
    wait_until_ended(page)
    expect(page.locator(".told")).to_have_text("5 of 7 read · 2 failed")
    expect(row(page, "broken.jpg")).to_contain_text("The picture is damaged.")
    expect(row(page, "notes.txt")).to_contain_text("This kind of file cannot be read.")


@pytest.mark.requirement("R-WE3")
def test_results_are_saved_as_json_lines_and_csv(
    page: Page, passport: Path, broken: Path, tmp_path: Path
) -> None:
    page.goto("/batch")
    choose(page, [broken, passport])
    wait_until_ended(page)
    with page.expect_download() as lines:
        page.get_by_role("button", name="Save as JSON lines").click()
    lines.value.save_as(tmp_path / "out.jsonl")
    saved = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(one["index"], one["state"]) for one in saved] == [(0, "failed"), (1, "read")]
    assert saved[0]["error"]["reason"] == "IMAGE_CORRUPT"
    with page.expect_download() as table:
        page.get_by_role("button", name="Save as CSV").click()
    table.value.save_as(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        told = list(csv.DictReader(file))
    number = next(field for field in saved[1]["fields"] if field["key"] == "document.number")
    assert [line["value"] for line in told if line["key"] == "document.number"] == [number["value"]]
    assert told[0]["reason"] == "IMAGE_CORRUPT"


@pytest.mark.requirement("R-WE3")
def test_a_folder_is_taken_with_what_lies_deeper(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    copy(folder, "b.jpg")
    copy(folder, "2026/a.jpg")
    (folder / ".hidden").write_text("not for reading")
    page.goto("/batch")
    page.locator("[data-choose=folder]").set_input_files(folder)
    expect(page.locator(".image-row strong")).to_have_text(["scans/2026/a.jpg", "scans/b.jpg"])
    wait_until_ended(page)
    expect(page.locator(".told")).to_have_text("2 of 2 read")


@pytest.mark.requirement("R-WE3")
def test_files_are_dropped(page: Page) -> None:
    page.goto("/batch")
    dropped = page.evaluate_handle(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
            return data;
        }""",
        list((SAMPLES / "passport.jpg").read_bytes()),
    )
    page.locator(".drop-zone").dispatch_event("drop", {"dataTransfer": dropped})
    expect(row(page, "dropped.jpg")).to_contain_text("Passport", timeout=READ_MS)


@pytest.mark.requirement("R-WE3", "R-BA2")
def test_a_reload_goes_on_from_the_cursor(page: Page, tmp_path: Path) -> None:
    page.goto("/batch")
    choose(page, several(tmp_path, 6))
    expect(page.locator(".image-row.read").first).to_be_visible(timeout=READ_MS)
    watched = calls(page, "WatchBatch")
    page.reload()
    cursor = page.evaluate("() => Object.entries(sessionStorage).find(([key]) => key.includes('bat_'))[1]")
    expect(page.locator(".image-row")).to_have_count(6)
    wait_until_ended(page)
    expect(page.locator(".image-row.read")).to_have_count(6)
    assert len(cursor) > 20
    # Everything before the cursor is not told again.
    asked = [request.post_data_buffer or b"" for request in watched]
    assert any(re.search(rb"[0-9a-f]{8}\.[0-9a-f]{8}\.[0-9a-f]{16}", body) for body in asked)


@pytest.mark.requirement("R-WE3", "R-BA2")
def test_an_interrupted_upload_sends_only_what_is_missing(page: Page, tmp_path: Path) -> None:
    files = several(tmp_path, 4)
    away = True
    taken = 0

    def add(route: object, request: Request) -> None:
        nonlocal taken
        taken += 1
        if away and taken > 2:
            route.abort("connectionfailed")  # type: ignore[attr-defined]  # a playwright Route
        else:
            route.continue_()  # type: ignore[attr-defined]  # the same

    page.route("**/AddBatchItem", add)
    page.goto("/batch")
    choose(page, files)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(page.locator(".told")).to_have_text("Sending: 2 of 4")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator(".told")).to_contain_text("2 images have arrived")
    away = False
    sent = calls(page, "AddBatchItem")
    choose(page, files)
    wait_until_ended(page)
    expect(page.locator(".told")).to_have_text("4 of 4 read")
    assert len(sent) == 2


@pytest.mark.requirement("R-WE3", "R-BA2")
def test_what_was_cancelled_or_failed_is_tried_again(page: Page, broken: Path, tmp_path: Path) -> None:
    page.goto("/batch")
    choose(page, [broken, *several(tmp_path, 5)])
    expect(page.locator(".image-row.read").first).to_be_visible(timeout=READ_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".told")).to_contain_text("cancelled")
    page.get_by_role("button", name="Try failed ones again").click()
    expect(page.locator(".told")).to_have_text("5 of 6 read · 1 failed", timeout=READ_MS)
    page.get_by_role("button", name="Try again: broken.jpg").click()
    expect(page.locator(".told")).to_contain_text("done")
    wait_until_ended(page)
    expect(page.locator(".told")).to_have_text("5 of 6 read · 1 failed")


@pytest.mark.requirement("R-WE3")
def test_an_upload_outlives_a_look_at_another_page_and_batches_can_be_opened_later(
    page: Page, passport: Path
) -> None:
    created: list[Route] = []

    def hold(route: Route) -> None:
        created.append(route)

    page.route("**/CreateBatch", hold)
    page.goto("/batch")
    with page.expect_request("**/CreateBatch"):
        choose(page, [passport])
    page.get_by_role("link", name="Dashboard").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("What happens")
    with page.expect_response("**/StartBatch", timeout=READ_MS):
        created[0].continue_()
    # Who left is not brought back when the server answers.
    expect(heading).to_have_text("What happens")
    page.get_by_role("link", name="Batch").click()
    wait_until_ended(page)
    expect(page).to_have_url(re.compile(r"/batch\?id=bat_"))
    page.get_by_role("button", name="New batch").click()
    page.locator(".recent a").first.click()
    expect(row(page, "passport.jpg")).to_contain_text("Passport")


@pytest.mark.requirement("R-WE3")
def test_everybody_can_use_it(page: Page, passport: Path, broken: Path) -> None:
    page.goto("/batch")
    expect(page.locator(".recent ul")).to_be_attached()
    expect_everybody_can_use(page)
    choose(page, [passport, broken])
    wait_until_ended(page)
    expect(page.locator(".image-row.failed").get_by_role("button")).to_have_count(2, timeout=READ_MS)
    expect_everybody_can_use(page)
    page.locator(".image-row.read").get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("document.number")
    expect_everybody_can_use(page)


@pytest.mark.requirement("R-WE3", "R-BA1")
def test_the_chosen_document_type_is_that_of_the_batch(page: Page, passport: Path) -> None:
    page.goto("/batch")
    page.get_by_label("Document type").select_option("passport")
    with page.expect_request("**/CreateBatch") as created:
        choose(page, [passport])
    assert b"passport" in (created.value.post_data_buffer or b"")
    wait_until_ended(page)
    expect(row(page, "passport.jpg")).to_contain_text("Passport")
