"""The whole story in one browser: from the camera to a document that is found, until it is forgotten.

The person whose face is compared with the portrait is in `e2e/test_story.py`: a fake camera shows one scene.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from fakes.camera_files import sample_before_camera

Filming = Callable[..., Page]
LONG_MS = 100_000
"""A document before the camera, with the real models, on a machine that others use too."""

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


def told(page: Page, kind: str, subject: str) -> dict[str, Any]:
    """The event of this type about this subject, once it was told."""
    found = "([kind, subject]) => window.chain.events.find((e) => e.type === kind && e.subject === subject)"
    event: dict[str, Any] = page.wait_for_function(found, arg=[kind, subject]).json_value()
    return event


def row(feed: Page, kind: str, subject: str) -> Locator:
    return feed.locator(".event-row").filter(has_text=kind).filter(has_text=subject)


def value_of(page: Page, title: str) -> str:
    return page.locator(".field", has=page.get_by_text(title, exact=True)).locator("strong").inner_text()


def keep(shelf: Page, library: str, document_id: str, text: str) -> None:
    """Makes a library by hand, and puts a document into it."""
    shelf.goto("/library")
    shelf.get_by_role("button", name="New library").click()
    shelf.get_by_label("Name").fill("Story")
    shelf.get_by_label("Id:").fill(library)
    shelf.get_by_role("button", name="Create").click()
    shelf.get_by_role("button", name="Add a document").click()
    drawer = shelf.get_by_role("dialog")
    drawer.get_by_label("Id").fill(document_id)
    drawer.get_by_role("textbox", name="Text").fill(text)
    drawer.get_by_role("button", name="Keep it").click()
    expect(drawer).to_contain_text(f"Kept as {document_id}.")
    shelf.keyboard.press("Escape")


@pytest.mark.requirement("R-WE1", "R-WE3", "R-CA1", "R-EX1", "R-LI1", "R-LI2", "R-EV1", "R-ST4")
@pytest.mark.timeout(300)
def test_a_passport_before_the_camera_is_kept_found_and_forgotten(filming: Filming) -> None:
    camera = filming(sample_before_camera())
    feed, shelf = camera.context.new_page(), camera.context.new_page()
    feed.goto("/")
    expect(feed.get_by_role("status")).to_have_text("Live")
    feed.evaluate(LINES)

    # The page captures the document and reads it.
    camera.get_by_label("A document").first.check()
    with camera.expect_response("**/CreateSession") as created_session:
        camera.get_by_role("button", name="Start the camera").click()
    expect(camera.locator(".capture > header .badge")).to_have_text("Completed", timeout=LONG_MS)
    number, surname = value_of(camera, "Document number"), value_of(camera, "Surname")
    assert (number, surname) == ("X4093218K", "FALKENBERG")

    # The dashboard tells of the session; what was read becomes a document, and it tells of that too.
    named = re.search(rb"ses_[0-9a-f-]{36}", created_session.value.body())
    assert named is not None
    document_id = named[0].decode()
    session = f"sessions/{document_id}"
    ended = told(feed, "session.completed", session)
    expect(row(feed, "session.completed", session)).to_have_count(1)
    library = f"story-{uuid.uuid4().hex[:12]}"
    keep(shelf, library, document_id, f"{surname} {number}")
    subject = f"libraries/{library}/documents/{document_id}"
    created = told(feed, "document.created", subject)
    expect(row(feed, "document.created", subject)).to_have_count(1)

    # It is found by what was read.
    shelf.get_by_role("searchbox", name="Search").fill(number)
    expect(shelf.locator(".hit strong")).to_have_text([document_id])

    # Forgotten is forgotten, before everybody's eyes.
    assert camera.request.delete(f"/v1/{subject}").status == 200
    deleted = told(feed, "document.deleted", subject)
    expect(row(feed, "document.deleted", subject)).to_have_count(1)
    expect(shelf.locator(".hit")).to_have_count(0)
    assert camera.request.get(f"/v1/{subject}").status == 404

    # One chain of cursors, from the first event to the last.
    chain = feed.evaluate("window.chain")
    cursors = [event["cursor"] for event in chain["events"]]
    assert chain["broken"] == []
    assert cursors == sorted(set(cursors))
    order = [cursors.index(event["cursor"]) for event in (ended, created, deleted)]
    assert order == sorted(order)
    # What was read never reaches the bus.
    assert number not in str(chain["events"])
    camera.request.delete(f"/v1/libraries/{library}")
