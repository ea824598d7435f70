"""The page of how the suite is, in a real browser."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, expect

from browser_page import expect_everybody_can_use
from e2e_suite import LiveSuite
from vidence.event.v1 import event_pb2
from vidence_client.sync import Client


def number(page: Page, name: str) -> int:
    shown = page.locator(".number", has=page.get_by_text(name, exact=True)).locator("dd").inner_text()
    return int(shown.replace(",", ""))


@pytest.mark.requirement("R-WE3", "R-OP3")
def test_the_page_tells_which_services_run(page: Page) -> None:
    page.goto("/system")
    services = page.get_by_role("region", name="Services")
    expect(services.get_by_role("listitem").filter(has_text="Events")).to_contain_text("Serving")
    expect(services).to_contain_text("Version")
    # Each by the name that people know, not by that of its module.
    names = services.locator("li > span:first-child").all_inner_texts()
    assert [name for name in names if not name[0].isupper()] == []


@pytest.mark.requirement("R-WE3")
def test_the_page_says_when_nobody_answers(page: Page) -> None:
    page.route("**/health", lambda route: route.abort())
    page.goto("/system")
    expect(page.get_by_text("The bridge does not answer")).to_be_visible()


@pytest.mark.requirement("R-WE3", "R-EV3")
def test_the_numbers_of_the_bus_rise_while_they_are_looked_at(page: Page, suite: LiveSuite) -> None:
    page.goto("/system")
    expect(page.locator(".number").first).to_be_visible()
    expect(page.locator(".chart canvas")).to_have_count(2)
    before = number(page, "Published")
    with Client(suite.address) as client:
        for _ in range(3):
            client.events.publish(
                event_pb2.Event(
                    source="vidence/test", id=uuid.uuid4().hex, type="web.system", subject="things/one"
                )
            )
    expect(page.locator(".number dd").first).to_have_text(f"{before + 3:,}")


@pytest.mark.requirement("R-WE3")
def test_everybody_can_use_the_system_page(page: Page) -> None:
    page.goto("/system")
    expect(page.locator(".chart canvas")).to_have_count(2)
    expect_everybody_can_use(page)
