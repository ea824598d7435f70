"""What pages say while they ask, where there is nothing, and where nothing can be had, in every language."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, Route, expect

from browser_page import LOOKS, wear

pytestmark = pytest.mark.requirement("R-WE3")
SLOW_MS = 30_000
REFUSED = {"content-type": "application/grpc-web+proto", "grpc-status": "7", "grpc-message": "no"}
"""PERMISSION_DENIED: it is of no use to ask again."""
ASKING = {"en": "Loading …", "es": "Cargando …", "fil": "Kinukuha …"}
UNAVAILABLE = {
    "en": "This cannot be shown now.",
    "es": "Esto no se puede mostrar ahora.",
    "fil": "Hindi ito maipakita ngayon.",
}
SERVER_SAYS = {"en": "The server says: no", "es": "El servidor dice: no", "fil": "Sabi ng server: no"}
REVIEWS = {
    "en": "The reviews cannot be shown now.",
    "es": "Las revisiones no se pueden mostrar ahora.",
    "fil": "Hindi maipakita ang mga pagsusuri ngayon.",
}
REVIEW = {
    "en": "The review cannot be shown: no",
    "es": "No se puede mostrar la revisión: no",
    "fil": "Hindi maipakita ang pagsusuri: no",
}


@dataclass(frozen=True)
class Case:
    """A page, the calls that bring what it shows, and what it says where they are refused."""

    path: str
    calls: tuple[str, ...]
    refused: dict[str, str]


CASES = (
    Case("/", ("EventService/ListEvents",), UNAVAILABLE),
    Case("/sessions", ("CaptureService/WatchSessions", "CaptureService/ListSessions"), UNAVAILABLE),
    Case("/batch", ("BatchService/ListBatches",), UNAVAILABLE),
    Case("/library", ("LibraryService/ListLibraries",), SERVER_SAYS),
    Case("/review", ("ReviewService/ListReviews",), REVIEWS),
    Case("/review?of=events/none", ("ReviewService/GetReview",), REVIEW),
    Case("/system", ("EventService/WatchStatistics", "EventService/GetStatistics"), UNAVAILABLE),
)


def refuse(route: Route) -> None:
    route.fulfill(status=200, headers=REFUSED, body=b"")


def expect_in_every_language(page: Page, words: dict[str, str]) -> None:
    for look in LOOKS:
        wear(page, look)
        expect(page.get_by_text(words[look.language]).first).to_be_visible(timeout=SLOW_MS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_page_that_still_asks_does_not_say_that_there_is_nothing(page: Page, case: Case) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for call in case.calls:
        page.route(f"**/*.{call}", hold)
    with page.expect_request(f"**/*.{case.calls[0]}"):
        page.goto(case.path)
    expect_in_every_language(page, ASKING)
    for route in held:
        route.abort("connectionfailed")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_page_that_is_refused_what_it_shows_says_so(page: Page, case: Case) -> None:
    for call in case.calls:
        page.route(f"**/*.{call}", refuse)
    page.goto(case.path)
    expect_in_every_language(page, case.refused)
    expect(page.get_by_text(ASKING["en"])).to_have_count(0)


def test_the_place_that_is_shown_is_in_view_when_the_window_becomes_narrow(page: Page) -> None:
    page.goto("/system")
    place = page.locator(".places [aria-current]")
    expect(place).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 360, "height": 700})
    # The last of the places: without scrolling it would be beyond the edge.
    page.wait_for_function("document.querySelector('.places').scrollWidth > innerWidth", timeout=SLOW_MS)
    expect(place).to_be_in_viewport(ratio=1, timeout=SLOW_MS)
