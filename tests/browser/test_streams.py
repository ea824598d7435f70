"""Many streams in one browser, and pages where streams do not come through."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Browser, expect

from browser_page import watch_for_errors
from e2e.bridge_door import Door
from e2e_suite import LiveSuite
from vidence.capture.v1 import session_pb2
from vidence.event.v1 import event_pb2
from vidence_client.sync import Client

STREAMS = 12
OPEN = """([number, topic]) => {
  window.told = Array.from({ length: number }, () => []);
  window.live = 0;
  window.told.forEach((told) => {
    const source = new EventSource(`/v1/events/stream?filter.types=${topic}.*`);
    source.addEventListener('connected', () => { window.live += 1; });
    for (const name of ['one', 'two']) {
      source.addEventListener(`${topic}.${name}`, () => told.push(name));
    }
  });
}"""
"""Opens streams at once, and notes what each of them tells."""


@pytest.mark.requirement("R-WE1", "R-WE3")
def test_twelve_streams_of_one_page_are_all_live_at_once(
    browser: Browser, door: Door, suite: LiveSuite
) -> None:
    topic = f"web{uuid.uuid4().hex[:8]}"
    context = browser.new_context(base_url=door.tls_url, ignore_https_errors=True, locale="en-GB")
    page = context.new_page()
    with watch_for_errors(page), Client(suite.address) as client:
        page.goto("/")
        page.get_by_label("Types").fill(f"{topic}.*")
        page.get_by_label("Types").press("Enter")
        expect(page.get_by_role("status")).to_have_text("Live")  # the page's own, by gRPC-Web
        page.evaluate(OPEN, [STREAMS, topic])
        page.wait_for_function("(number) => window.live === number", arg=STREAMS)
        for name in ("one", "two"):
            # The second is published only when everybody has told the first.
            publish(client, topic, name)
            page.wait_for_function("(name) => window.told.every((told) => told.at(-1) === name)", arg=name)
            expect(page.locator(".event-row strong").first).to_have_text(f"{topic}.{name}")
        assert page.evaluate("window.told") == [["one", "two"]] * STREAMS
    context.close()


@pytest.mark.requirement("R-WE3", "R-WE5")
def test_pages_ask_by_single_calls_where_streams_are_cut_and_say_so(
    browser: Browser, door: Door, suite: LiveSuite
) -> None:
    topic = f"web{uuid.uuid4().hex[:8]}"
    context = browser.new_context(base_url=door.url, locale="en-GB")
    streams = re.compile("/(Subscribe|WatchSessions|WatchStatistics|WatchReview)$")
    context.route(streams, lambda route: route.abort("connectionfailed"))
    feed, sessions, system, review = (context.new_page() for _ in range(4))
    with Client(suite.address) as client:
        publish(client, topic, "one")
        for page, path in ((feed, "/"), (sessions, "/sessions"), (system, "/system")):
            page.goto(path)
        feed.get_by_label("Types").fill(f"{topic}.*")
        feed.get_by_label("Types").press("Enter")
        expect(feed.locator(".event-row")).to_have_count(1)
        subject = f"events/{feed.locator('[data-key]').get_attribute('data-key')}"
        review.goto(f"/review?of={subject}")
        for page in (feed, sessions, system, review):
            expect(page.locator(".stream-state")).to_contain_text("No streams here")
        # What happens from now on is told all the same.
        publish(client, topic, "two")
        expect(feed.locator(".event-row strong").first).to_have_text(f"{topic}.two")
        plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE])
        session = client.capture.create_session(plan).session
        expect(sessions.locator(".card", has_text=session.id)).to_contain_text("Searching")
        expect(system.locator(".number").first).to_be_visible()
        expect(review.get_by_text("Nothing is decided yet.")).to_be_visible()
        # Where streams come through again, they are used, and nothing is told twice.
        context.unroute(streams)
        expect(feed.locator(".stream-state")).to_have_text("Live")
        publish(client, topic, "three")
        expect(feed.locator(".event-row strong").first).to_have_text(f"{topic}.three")
        told = feed.locator(".event-row strong").all_inner_texts()
        assert told == [f"{topic}.{name}" for name in ("three", "two", "one")]
    context.close()


def publish(client: Client, topic: str, name: str) -> None:
    client.events.publish(
        event_pb2.Event(source="vidence/test", id=f"{topic}-{name}", type=f"{topic}.{name}")
    )
