"""The capture page in a real browser, before a camera that shows a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from browser_page import expect_everybody_can_use
from fakes.camera_files import SAMPLES, face_before_camera, nothing_before_camera, sample_before_camera
from fakes.face_pictures import ASTRONAUT, decoded, picture_bytes

LONG_MS = 60_000
"""A session with the real models takes seconds; on a busy machine more."""
FIELD_COUNTS = """
() => {
  window.counts = [0];
  new MutationObserver(() => {
    const count = document.querySelectorAll(".field").length;
    if (count !== window.counts.at(-1)) window.counts.push(count);
  }).observe(document.body, { childList: true, subtree: true });
}
"""
Filming = Callable[..., Page]


def start(page: Page, subject: str) -> None:
    page.get_by_label(subject, exact=False).first.check()
    page.get_by_role("button", name="Start the camera").click()


def expect_state(page: Page, state: str) -> None:
    expect(page.locator(".capture > header .badge")).to_have_text(state, timeout=LONG_MS)


def upload(page: Page, content: bytes | None = None) -> None:
    page.goto("/capture")
    file = SAMPLES / "passport.jpg"
    page.get_by_label("Choose a file").set_input_files(
        {"name": file.name, "mimeType": "image/jpeg", "buffer": content or file.read_bytes()}
    )


def value_of(page: Page, title: str) -> str:
    return page.locator(".field", has=page.get_by_text(title, exact=True)).locator("strong").inner_text()


def assert_fields_came_while_it_was_read(page: Page) -> None:
    counts = page.evaluate("window.counts")
    # A zone is read as a whole: its fields come together, the others before or after it.
    assert any(0 < count < counts[-1] for count in counts), f"fields came all at once: {counts}"


@pytest.mark.requirement("R-WE3", "R-CA1", "R-CA5", "R-CA8")
def test_a_passport_before_the_camera_is_captured_and_read(filming: Filming) -> None:
    page = filming(sample_before_camera())
    page.evaluate(FIELD_COUNTS)
    start(page, "A document")
    expect(page.locator("polygon.subject")).to_have_count(1, timeout=LONG_MS)
    expect(page.get_by_role("meter", name="Sharpness")).to_be_visible()
    expect_state(page, "Completed")
    assert value_of(page, "Surname") == "FALKENBERG"
    assert value_of(page, "Document number") == "X4093218K"
    assert_fields_came_while_it_was_read(page)
    picture = page.get_by_role("img", name="Document, front")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400


@pytest.mark.requirement("R-WE3", "R-CA3")
def test_a_face_before_the_camera_is_captured_when_its_owner_says_that_it_is_good(filming: Filming) -> None:
    page = filming(face_before_camera(decoded(picture_bytes(ASTRONAUT))[:330, 60:390]))
    page.get_by_label("Let me check each picture").check()
    start(page, "A face")
    expect(page.get_by_text("Is the picture good?").last).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("img", name="Face")).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    expect_state(page, "Completed")


@pytest.mark.requirement("R-WE3", "R-CA6")
def test_guidance_is_in_the_language_of_the_page_and_leaving_ends_the_session(filming: Filming) -> None:
    page = filming(nothing_before_camera())
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="Iniciar la cámara").click()
    advice = page.locator(".advice [role=status]")
    expect(advice).to_have_attribute("lang", "es", timeout=LONG_MS)
    expect(advice).to_contain_text("documento")
    page.get_by_role("button", name="Cancelar").click()
    page.get_by_role("link", name="Sesiones").click()
    expect(page.locator(".card .badge").first).to_have_text("Cancelado")


@pytest.mark.requirement("R-WE3")
def test_a_camera_that_is_not_allowed_is_told_and_a_file_can_be_read_instead(page: Page) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.goto("/capture")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("alert")).to_contain_text("The camera may not be used")
    expect(page.get_by_label("Choose a file")).to_be_enabled()


@pytest.mark.requirement("R-WE3", "R-EX1")
def test_an_uploaded_document_is_read_field_by_field(page: Page) -> None:
    page.goto("/capture")
    page.evaluate(FIELD_COUNTS)
    page.get_by_label("Choose a file").set_input_files(SAMPLES / "passport.jpg")
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=LONG_MS)
    assert value_of(page, "Surname") == "FALKENBERG"
    expect(page.locator(".box").first).to_be_attached()
    assert_fields_came_while_it_was_read(page)


@pytest.mark.requirement("R-WE3")
def test_a_document_is_read_by_one_call_where_streams_are_cut_and_the_page_says_so(page: Page) -> None:
    def cut(route: Route) -> None:
        route.abort()

    page.route("**/vidence.extraction.v1.ExtractionService/ExtractDocument", cut)
    upload(page)
    expect(page.get_by_role("alert")).to_contain_text("by a single call", timeout=LONG_MS)
    expect(page.locator(".field").first).to_be_visible(timeout=LONG_MS)
    assert value_of(page, "Surname") == "FALKENBERG"


@pytest.mark.requirement("R-WE3", "R-EX7")
def test_a_file_that_is_no_picture_is_refused_in_words(page: Page) -> None:
    upload(page, b"not a picture")
    expect(page.get_by_role("alert")).to_contain_text("this kind of file is not understood")


@pytest.mark.requirement("R-WE3")
def test_everybody_can_use_the_capture_page(page: Page) -> None:
    page.goto("/capture")
    page.get_by_label("Document and face").check()
    expect_everybody_can_use(page)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("meter").first).to_be_visible(timeout=LONG_MS)
    expect_everybody_can_use(page)
