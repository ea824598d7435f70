"""The page of all capture sessions, in a real browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser_page import expect_everybody_can_use
from e2e_suite import LiveSuite
from fakes.camera_files import far_from_camera, sample_before_camera
from fakes.capture_models import frames_of
from vidence.capture.v1 import capture_service_pb2 as pb
from vidence.capture.v1 import session_pb2
from vidence_client.capture import SessionKey, make_frame
from vidence_client.sync import Client

MANY_FRAMES = 100
"""Guidance stays for a while before it changes: so many frames last for longer than that."""


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


@pytest.mark.requirement("R-WE3", "R-CA6")
def test_a_card_says_what_the_person_before_the_camera_is_told(page: Page, client: Client) -> None:
    plan = session_pb2.SessionPlan(targets=[session_pb2.TARGET_DOCUMENT_FRONT])
    created = client.capture.create_session(plan)
    page.goto("/sessions")
    guidance = card(page, created).locator(".guidance")
    expect(guidance).to_have_text("Hold your document in front of the camera.")
    key = SessionKey(created.session.id, created.session_token)
    for content in frames_of(far_from_camera(sample_before_camera(), 0.45), MANY_FRAMES):
        client.capture.push_frame(key, make_frame(content))
        if guidance.inner_text() == "Come closer.":
            break
    expect(guidance).to_have_text("Come closer.")
    page.get_by_label("Language").select_option("es")
    expect(guidance).to_have_text("Acérquese.")
    client.capture.cancel_session(created.session.id)
    expect(guidance).to_have_count(0)


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
def test_everybody_can_use_the_sessions_page(page: Page, client: Client) -> None:
    created = begin(client)
    page.goto("/sessions")
    expect(card(page, created)).to_be_visible()
    expect_everybody_can_use(page)
    card(page, created).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_everybody_can_use(page)
