"""The page of all capture sessions, in a real browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser_page import serious_findings
from e2e_suite import LiveSuite
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_client.sync import Client


@pytest.fixture
def client(suite: LiveSuite) -> Iterator[Client]:
    with Client(suite.address) as opened:
        yield opened


def begin(client: Client) -> pb.CreateSessionResponse:
    plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_FACE], reference=uuid.uuid4().hex)
    return client.capture.create_session(plan)


def card(page: Page, created: pb.CreateSessionResponse) -> Locator:
    return page.locator(".card", has_text=created.session.id)


@pytest.mark.requirement("R-WE3", "R-CA1")
def test_sessions_are_shown_as_they_are_then_as_they_come_and_change(page: Page, client: Client) -> None:
    first = begin(client)
    page.goto("/sessions")
    expect(card(page, first)).to_contain_text("Searching")
    expect(card(page, first).locator(".time-left")).to_contain_text("left")
    second = begin(client)
    expect(card(page, second)).to_contain_text(second.session.plan.reference)
    client.capture.cancel_session(first.session.id)
    expect(card(page, first)).to_contain_text("Cancelled")
    page.get_by_role("combobox", name="Show").select_option(label="Running")
    expect(card(page, first)).to_have_count(0)
    expect(card(page, second)).to_have_count(1)


@pytest.mark.requirement("R-WE3", "R-CA10")
def test_a_session_is_watched_by_whoever_has_a_token_of_it(page: Page, client: Client) -> None:
    created = begin(client)
    page.goto("/sessions")
    card(page, created).click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Watch token").fill("no token of it")
    drawer.get_by_role("button", name="Watch").click()
    expect(drawer.get_by_role("alert")).to_contain_text("not one of this session")
    drawer.get_by_label("Watch token").fill(created.watch_token)
    drawer.get_by_role("button", name="Watch").click()
    expect(drawer.locator(".story")).to_contain_text("Session begun")
    expect(drawer.locator(".guidance")).to_have_text("Look into the camera.")
    drawer.get_by_role("button", name="End the session").click()
    expect(drawer.locator(".story li").first).to_contain_text("Session over")
    expect(card(page, created)).to_contain_text("Cancelled")


@pytest.mark.requirement("R-WE3")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_use_the_sessions_page(page: Page, client: Client, scheme: str, width: int) -> None:
    created = begin(client)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/sessions")
    page.get_by_label("Appearance").select_option(scheme)
    expect(card(page, created)).to_be_visible()
    assert serious_findings(page) == []
    card(page, created).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
