"""What tests ask of a page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page

WEB = Path(__file__).resolve().parents[1] / "clients" / "web"
_AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_TELLS_OF_A_LOST_CONNECTION = "net::ERR_"


class Look(NamedTuple):
    """How a page is looked at."""

    width: int
    language: str
    scheme: str


LOOKS = (
    Look(360, "es", "light"),
    Look(360, "en", "dark"),
    Look(1280, "fil", "dark"),
    Look(1280, "en", "light"),
)
"""Narrow and wide, light and dark, every language; the last is how tests begin."""


@contextmanager
def watch_for_errors(page: Page) -> Iterator[None]:
    """Fails where the page threw, logged an error, or was kept from something by its own policy."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield
    # A browser logs each connection that breaks; what the page makes of it is what the tests look at.
    assert [error for error in errors if _TELLS_OF_A_LOST_CONNECTION not in error] == []


def wear(page: Page, look: Look) -> None:
    """Looks at the page as it stands in another way, without a reload."""
    page.set_viewport_size({"width": look.width, "height": 800})
    for number, value in enumerate((look.language, look.scheme)):
        # An open drawer keeps a mouse away from them.
        page.locator("nav select").nth(number).evaluate(
            "(select, value) => { select.value = value;"
            " select.dispatchEvent(new Event('change', { bubbles: true })); }",
            value,
        )
    page.wait_for_function("(tag) => document.documentElement.lang === tag", arg=look.language)


def expect_everybody_can_use(page: Page) -> None:
    """In every look axe finds nothing serious and nothing stands out at the side; ends in the last look."""
    for look in LOOKS:
        wear(page, look)
        assert serious_findings(page) == [], look
        assert page.evaluate("document.documentElement.scrollWidth") <= look.width, look


def serious_findings(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page."""
    if not page.evaluate("'axe' in window"):
        # Through the debugger, where the page's Content-Security-Policy does not reach.
        page.evaluate(_AXE.read_text())
    found: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
