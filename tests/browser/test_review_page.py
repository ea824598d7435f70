"""Several reviewers in front of one thing, each in a browser of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from browser_page import expect_everybody_can_use, watch_for_errors
from e2e.bridge_door import Door
from e2e_suite import LiveSuite
from vidence.capture.v1 import session_pb2
from vidence.event.v1 import event_pb2
from vidence_client.sync import Client

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
READ_MS = 90_000


@pytest.fixture
def batch() -> str:
    """Something that no other test reviews."""
    return f"batches/bat_{uuid.uuid4()}"


@pytest.fixture
def two(browser: Browser, door: Door) -> Iterator[tuple[Page, Page]]:
    """Two browsers that share nothing."""
    with ExitStack() as stack:
        pages = []
        for _ in range(2):
            context = browser.new_context(base_url=door.url, locale="en-GB")
            stack.callback(context.close)
            page = context.new_page()
            stack.enter_context(watch_for_errors(page))
            pages.append(page)
        yield pages[0], pages[1]


def review(page: Page, subject: str, name: str) -> None:
    page.goto(f"/review?of={subject}")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Take part").click()
    expect(page.get_by_role("status")).to_have_text("Live")


def there(page: Page) -> Locator:
    return page.locator(".people li")


def note(page: Page, text: str) -> None:
    page.get_by_label("Add a note").fill(text)
    page.get_by_role("button", name="Add", exact=True).click()


def keep_waiting(route: Route) -> None:
    """Neither answers a request nor passes it on."""


@pytest.mark.requirement("R-WE5")
def test_two_reviewers_see_each_other_and_everything_the_other_does(
    two: tuple[Page, Page], batch: str
) -> None:
    ana, ben = two
    review(ana, batch, "Ana")
    review(ben, batch, "Ben")
    for page in two:
        expect(there(page)).to_have_count(2)
    ana.get_by_role("button", name="Claim").click()
    expect(ana.get_by_text("You work on it.")).to_be_visible()
    expect(ben.get_by_text("Ana works on it.")).to_be_visible()
    expect(ben.get_by_role("button", name="Approve")).to_be_disabled()
    note(ben, "Page two is missing.")
    expect(ana.get_by_role("log")).to_contain_text("Page two is missing.")
    ana.get_by_role("button", name="Reject").click()
    expect(ben.locator(".badge.bad")).to_have_text("Rejected")
    ben.get_by_role("button", name="Take over").click()
    expect(ana.get_by_text("Ben works on it.")).to_be_visible()
    ben.get_by_role("button", name="Release").click()
    expect(ana.get_by_text("Nobody works on it.")).to_be_visible()
    ben.get_by_role("link", name="All reviews").click()
    expect(there(ana)).to_have_count(1)
    expect(ben.get_by_role("listitem").filter(has_text=batch.split("/")[1])).to_contain_text("Rejected")


@pytest.mark.requirement("R-WE5")
def test_who_decides_on_what_was_changed_meanwhile_is_told_and_nothing_is_lost(
    two: tuple[Page, Page], batch: str
) -> None:
    ana, ben = two
    # Ben's browser hears nothing more of what happens.
    ben.route("**/WatchReview", keep_waiting)
    ben.goto(f"/review?of={batch}")
    ben.get_by_label("Your name").fill("Ben")
    ben.get_by_role("button", name="Take part").click()
    expect(ben.get_by_text("Nothing is decided yet.")).to_be_visible()
    review(ana, batch, "Ana")
    ana.get_by_role("button", name="Approve").click()
    expect(ana.locator(".badge.good")).to_have_text("Approved")
    ben.get_by_role("button", name="Reject").click()
    expect(ben.get_by_role("alert")).to_contain_text("Somebody changed the review meanwhile.")
    expect(ana.locator(".badge.good")).to_have_text("Approved")
    ben.unroute("**/WatchReview", keep_waiting)  # what waited goes on
    expect(ben.locator(".badge.good")).to_have_text("Approved")
    ben.get_by_role("button", name="Reject").click()
    expect(ana.locator(".badge.bad")).to_have_text("Rejected")


def opened_together(two: tuple[Page, Page], about: str) -> None:
    """The first is before the page of something: both review it, and see each other and what is done."""
    ana, ben = two
    ana.get_by_role("link", name="Review together").click()
    expect(ana.get_by_role("heading", level=1)).to_have_text("Review")
    subject = ana.url.split("of=")[1]
    for page, name in ((ana, "Ana"), (ben, "Ben")):
        review(page, subject, name)
        expect(page.get_by_role("region", name="What it is about")).to_contain_text(about)
    for page in two:
        expect(there(page)).to_have_count(2)
    ben.get_by_role("button", name="Claim").click()
    expect(ana.get_by_text("Ben works on it.")).to_be_visible()
    note(ana, "Look at the second line.")
    expect(ben.get_by_role("log")).to_contain_text("Look at the second line.")
    ben.get_by_role("button", name="Approve").click()
    expect(ana.locator(".badge.good")).to_have_text("Approved")


@pytest.mark.requirement("R-WE5")
def test_an_event_is_reviewed_together(two: tuple[Page, Page], suite: LiveSuite) -> None:
    topic = f"web{uuid.uuid4().hex[:8]}"
    with Client(suite.address) as client:
        client.events.publish(
            event_pb2.Event(source="vidence/test", id=topic, type=f"{topic}.seen", subject="things/one")
        )
    page = two[0]
    page.goto("/")
    page.get_by_label("Types").fill(f"{topic}.*")
    page.get_by_label("Types").press("Enter")
    page.locator(".event-row").first.click()
    opened_together(two, f"{topic}.seen")


@pytest.mark.requirement("R-WE5")
def test_a_session_is_reviewed_together(two: tuple[Page, Page], suite: LiveSuite) -> None:
    with Client(suite.address) as client:
        plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE])
        session_id = client.capture.create_session(plan).session.id
    page = two[0]
    page.goto("/sessions")
    page.locator(".card", has_text=session_id).click()
    opened_together(two, "Face: Searching")


@pytest.mark.requirement("R-WE5")
def test_a_batch_is_reviewed_together(two: tuple[Page, Page]) -> None:
    page = two[0]
    page.goto("/batch")
    page.locator("[data-choose=files]").set_input_files(SAMPLES / "passport.jpg")
    expect(page.locator(".told")).to_have_text("1 of 1 read", timeout=READ_MS)
    opened_together(two, "1 of 1 read")


@pytest.mark.requirement("R-WE5", "R-WE3")
def test_everybody_can_use_it(page: Page, batch: str) -> None:
    review(page, batch, "Ana")
    page.get_by_role("button", name="Approve").click()
    note(page, "All of it is there.")
    expect(page.get_by_role("log")).to_contain_text("All of it is there.")
    expect_everybody_can_use(page)
    page.goto("/review")
    expect(page.locator(".review-list li").first).to_be_visible()
    expect_everybody_can_use(page)
