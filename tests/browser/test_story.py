"""The whole story in one browser: from the camera to a document that is found, until its person is erased."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.bridge_door import Door
from fakes.camera_files import ChangingCamera, Pixels, face_before_camera, passport_before_camera
from fakes.face_pictures import ASTRONAUT, decoded, picture_bytes
from vidence.erasure.v1 import erasure_pb2
from vidence_client.receipts import parse_receipt
from vidence_client.sync import Client

Filming = Callable[..., Page]
LONG_MS = 100_000
"""A document before the camera, with the real models, on a machine that others use too."""
TENANT = "default"

LINES = """async () => {
  const answer = await fetch('/v1/events/stream?position=START_POSITION_LATEST');
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const chain = (window.chain = { cursor: undefined, broken: [], events: [] });
  const take = (message) => {
    const before = message.previous_cursor ?? chain.cursor;
    if (chain.cursor !== undefined && before !== chain.cursor) chain.broken.push([chain.cursor, before]);
    chain.cursor = message.cursor;
    chain.events.push(...(message.events ?? []));
  };
  const read = async () => {
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\\n');
      rest = lines.pop();
      lines.filter((line) => line !== '').forEach((line) => take(JSON.parse(line)));
    }
  };
  void read();
}"""
"""Reads the bus line by line: each message has to begin where the one before ended."""


def open_feed(feed: Page) -> None:
    """Opens the dashboard, and beside it reads the bus from now on."""
    feed.goto("/")
    expect(feed.get_by_role("status")).to_have_text("Live", timeout=LONG_MS)
    feed.evaluate(LINES)


def told(feed: Page, kind: str, subject: str) -> dict[str, Any]:
    """The event of this type about this subject, once the bus told it and the dashboard shows it."""
    found = "([kind, subject]) => window.chain.events.find((e) => e.type === kind && e.subject === subject)"
    waited = feed.wait_for_function(found, arg=[kind, subject], timeout=LONG_MS)
    row = feed.locator(".event-row").filter(has_text=kind).filter(has_text=subject)
    expect(row).to_have_count(1, timeout=LONG_MS)
    event: dict[str, Any] = waited.json_value()
    return event


def capture(page: Page, camera: ChangingCamera, person: str, selfie: Pixels) -> str:
    """Somebody shows a document, then themselves; gives the id of the session."""
    page.get_by_label("Document and face").check()
    page.get_by_label("Whose data it is").fill(person)
    with page.expect_response("**/CreateSession", timeout=LONG_MS) as created:
        page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_text("Step 2 of 2: Face")).to_be_visible(timeout=LONG_MS)
    camera.show(selfie)
    expect(page.locator(".capture > header .badge")).to_have_text("Completed", timeout=LONG_MS)
    named = re.search(rb"ses_[0-9a-f-]{36}", created.value.body())
    assert named is not None
    return named[0].decode()


def expect_verified(page: Page) -> None:
    """The page says that the face is that of the portrait, and that the document is in order."""
    verification = page.get_by_role("region", name="Verification")
    expect(verification.locator("header .badge")).to_have_text("Passed")
    for check in ("Portrait and face", "Check digits and rules"):
        line = verification.get_by_role("listitem").filter(has_text=check)
        expect(line.locator(".badge")).to_have_text("Passed")
    expect(page.get_by_role("img", name="Face")).to_be_visible()


def value_of(page: Page, title: str) -> str:
    return page.locator(".field", has=page.get_by_text(title, exact=True)).locator("strong").inner_text()


def keep(shelf: Page, library: str, document_id: str, text: str, person: str) -> None:
    """Makes a library by hand, and puts a document of the person into it."""
    shelf.goto("/library")
    shelf.get_by_role("button", name="New library").click()
    shelf.get_by_label("Name").fill("Story")
    shelf.get_by_label("Id:").fill(library)
    shelf.get_by_role("button", name="Create").click()
    # Until it is there, another library may be shown, with a button of its own.
    expect(shelf).to_have_url(re.compile(rf"\?id={library}$"), timeout=LONG_MS)
    shelf.get_by_role("button", name="Add a document").click()
    drawer = shelf.get_by_role("dialog")
    drawer.get_by_label("Id").fill(document_id)
    drawer.get_by_role("textbox", name="Text").fill(text)
    drawer.get_by_label("Properties").fill(f'subject_id = "{person}"')
    drawer.get_by_role("button", name="Keep it").click()
    expect(drawer).to_contain_text(f"Kept as {document_id}.", timeout=LONG_MS)
    shelf.keyboard.press("Escape")


def expect_found(shelf: Page, number: str, *ids: str) -> Locator:
    """What a search finds, as it stands in the list."""
    shelf.get_by_role("searchbox", name="Search").fill(number)
    hits = shelf.locator(".hit strong")
    expect(hits).to_have_text(list(ids), timeout=LONG_MS)
    return hits


def pictures_of(page: Page, session: str) -> list[str]:
    """Where the pictures of a session are; each of them can be had."""
    captured = page.request.get(f"/v1/{session}").json()["session"]["captured"]
    paths = [f"/v1/images/{one[kind]['id']}" for one in captured for kind in ("image", "crop") if kind in one]
    assert all("image_complete" in page.request.get(path).text() for path in paths)
    return paths


def purge(door: Door, person: str) -> str:
    """Erases the person in all services, by the SDK and through Envoy; gives the id of the purge."""
    with Client(f"127.0.0.1:{door.port}") as client:
        purged = client.erasure.purge(person, timeout=LONG_MS / 1000)
        while purged.state == erasure_pb2.PURGE_STATE_PARTIAL:  # as its documentation says: repeat it
            purged = client.erasure.purge(person, timeout=LONG_MS / 1000)
        assert purged.state == erasure_pb2.PURGE_STATE_COMPLETE
        receipt = parse_receipt(purged.receipt)
        assert receipt.whole
        assert receipt.complete
        assert receipt.is_of(TENANT, person)
        assert client.erasure.get(purged.purge_id) == purged
    counts = {kind.kind: kind.erased_count for part in purged.services for kind in part.kinds}
    assert counts["capture_session"] == counts["document"] == 1
    assert counts["capture_image"] >= 2
    return purged.purge_id


def expect_forgotten(page: Page, session: str, pictures: list[str], document: str) -> None:
    """Neither session nor pictures nor document are there for anybody."""
    assert len(pictures) >= 2
    for path in (f"/v1/{session}", f"/v1/{document}"):
        assert page.request.get(path).status == 404
    for path in pictures:
        assert "IMAGE_NOT_FOUND" in page.request.get(path).text()
    page.goto("/sessions")
    expect(page.locator(".stream-state")).to_have_text("Live", timeout=LONG_MS)
    expect(page.locator(".card", has_text=session.removeprefix("sessions/"))).to_have_count(0)


def expect_one_chain(feed: Page, events: list[dict[str, Any]], secrets: list[str]) -> None:
    """All that the bus told is one chain of cursors; what happened later comes later in it.

    The last two come from two services that erase at the same time: either of them may be the last.
    """
    chain = feed.evaluate("window.chain")
    cursors = [event["cursor"] for event in chain["events"]]
    assert chain["broken"] == []
    assert cursors == sorted(set(cursors))
    *before, deleted, purged = (cursors.index(event["cursor"]) for event in events)
    assert before == sorted(before)
    assert before[-1] < min(deleted, purged)
    # Neither what was read nor whose it is ever reaches the bus.
    assert not [secret for secret in secrets if secret in str(chain["events"])]


@pytest.mark.requirement(
    "R-WE1", "R-WE3", "R-CA1", "R-CA7", "R-EX1", "R-LI1", "R-LI2", "R-EV1", "R-ST4", "R-OP5"
)
@pytest.mark.timeout(400)
def test_a_person_is_captured_verified_kept_found_and_erased(
    filming: Filming, door: Door, tmp_path: Path
) -> None:
    person, library = f"person-{uuid.uuid4()}", f"story-{uuid.uuid4().hex[:12]}"
    whole = decoded(picture_bytes(ASTRONAUT))
    camera = ChangingCamera(tmp_path / "camera.y4m", passport_before_camera(whole[:390, 75:374]))
    page = filming(camera)
    feed, shelf = page.context.new_page(), page.context.new_page()
    open_feed(feed)

    # The page captures a passport and the face before it, compares them and reads the passport.
    session_id = capture(page, camera, person, face_before_camera(whole[:330, 60:390]))
    expect_verified(page)
    number, surname = value_of(page, "Document number"), value_of(page, "Surname")
    assert (number, surname) == ("X4093218K", "FALKENBERG")
    session = f"sessions/{session_id}"
    ended = told(feed, "session.completed", session)

    # What was read becomes a document, and is found by that.
    keep(shelf, library, session_id, f"{surname} {number}", person)
    document = f"libraries/{library}/documents/{session_id}"
    created = told(feed, "document.created", document)
    hits = expect_found(shelf, number, session_id)

    # Who asks to be erased is erased everywhere, before everybody's eyes.
    pictures = pictures_of(page, session)
    purge_id = purge(door, person)
    purged = told(feed, "subject.purged", f"purges/{purge_id}")
    deleted = told(feed, "document.deleted", document)
    expect(hits).to_have_count(0, timeout=LONG_MS)
    expect_forgotten(page, session, pictures, document)
    expect_one_chain(feed, [ended, created, deleted, purged], [number, surname, person])
    page.request.delete(f"/v1/libraries/{library}")
