"""What tests ask of a page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

WEB = Path(__file__).resolve().parents[1] / "clients" / "web"
_AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_TELLS_OF_A_LOST_CONNECTION = "net::ERR_"


@contextmanager
def watch_for_errors(page: Page) -> Iterator[None]:
    """Fails where the page threw, logged an error, or was kept from something by its own policy."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield
    # A browser logs each connection that breaks; what the page makes of it is what the tests look at.
    assert [error for error in errors if _TELLS_OF_A_LOST_CONNECTION not in error] == []


def serious_findings(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page."""
    # Through the debugger, where the page's Content-Security-Policy does not reach.
    page.evaluate(_AXE.read_text())
    found: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
