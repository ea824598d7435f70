"""The page of what happens, in a real browser."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, expect

from browser_page import expect_everybody_can_use
from e2e_suite import LiveSuite
from vidence.event.v1 import event_pb2
from vidence_client.sync import Client


@pytest.fixture
def topic() -> str:
    """Types of events that no other test sees."""
    return f"web{uuid.uuid4().hex[:8]}"


def publish(suite: LiveSuite, topic: str, *names: str) -> None:
    with Client(suite.address) as client:
        for name in names:
            client.events.publish(
                event_pb2.Event(
                    source="vidence/test",
                    id=f"{topic}-{name}",
                    type=f"{topic}.{name}",
                    subject=f"things/{name}",
                    severity=event_pb2.SEVERITY_WARNING
                    if name.startswith("bad")
                    else event_pb2.SEVERITY_INFO,
                )
            )


def show(page: Page, topic: str) -> None:
    page.goto("/")
    page.get_by_label("Types").fill(f"{topic}.*")
    page.get_by_label("Types").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Live")


def types(page: Page) -> list[str]:
    return page.locator(".event-row strong").all_inner_texts()


@pytest.mark.requirement("R-WE3", "R-WE1")
def test_events_appear_one_by_one_the_newest_first(page: Page, suite: LiveSuite, topic: str) -> None:
    publish(suite, topic, "one")
    show(page, topic)
    expect(page.locator(".event-row")).to_have_count(1)
    publish(suite, topic, "two")
    expect(page.locator(".event-row strong").first).to_have_text(f"{topic}.two")
    publish(suite, topic, "three")
    expect(page.locator(".event-row strong").first).to_have_text(f"{topic}.three")
    assert types(page) == [f"{topic}.{name}" for name in ("three", "two", "one")]


@pytest.mark.requirement("R-WE3")
def test_a_paused_feed_goes_on_where_it_stood(page: Page, suite: LiveSuite, topic: str) -> None:
    show(page, topic)
    publish(suite, topic, "before")
    expect(page.locator(".event-row")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_have_text("Paused")
    publish(suite, topic, "while", "paused")
    page.get_by_role("button", name="Go on").click()
    publish(suite, topic, "after")
    expect(page.locator(".event-row")).to_have_count(4)
    assert types(page) == [f"{topic}.{name}" for name in ("after", "paused", "while", "before")]


@pytest.mark.requirement("R-WE3")
def test_what_is_typed_stays_while_events_come_in(page: Page, suite: LiveSuite, topic: str) -> None:
    show(page, f"{topic}*")
    page.get_by_label("Types").fill(f"{topic}-only.*")
    publish(suite, topic, "meanwhile")
    expect(page.locator(".event-row")).to_have_count(1)
    expect(page.get_by_label("Types")).to_have_value(f"{topic}-only.*")
    page.get_by_label("Types").press("Enter")
    expect(page.locator(".event-row")).to_have_count(0)


@pytest.mark.requirement("R-WE3")
def test_the_severity_filters_and_a_row_opens_its_details(page: Page, suite: LiveSuite, topic: str) -> None:
    show(page, topic)
    publish(suite, topic, "good", "bad")
    expect(page.locator(".event-row")).to_have_count(2)
    page.get_by_label("At least").select_option(label="Warning")
    expect(page.locator(".event-row")).to_have_count(1)
    page.locator(".event-row").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(f"{topic}-bad")
    expect(drawer).to_contain_text("things/bad")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page.locator(".event-row").first).to_be_focused()


@pytest.mark.requirement("R-WE3")
def test_everybody_can_use_it(page: Page, suite: LiveSuite, topic: str) -> None:
    show(page, topic)
    publish(suite, topic, "good", "bad")
    expect(page.locator(".event-row")).to_have_count(2)
    expect_everybody_can_use(page)
    page.locator(".event-row").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_everybody_can_use(page)


@pytest.mark.requirement("R-WE3")
def test_the_language_changes_without_a_reload_and_stays(page: Page, topic: str) -> None:
    show(page, topic)
    page.get_by_label("Language").select_option("es")
    expect(page.get_by_role("heading", level=1)).to_have_text("Qué sucede")
    expect(page.get_by_role("status")).to_have_text("En directo")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_role("heading", level=1)).to_have_text("Qué sucede")
