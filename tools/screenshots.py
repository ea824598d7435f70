"""`make screenshots`: each page in a real browser, wide and narrow, light and dark, to be looked at.

Starts a suite of its own with something to show, or takes pictures of one that runs (`--url`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.bridge_door import Door  # noqa: E402  # found by the line above
from e2e_suite import start_suite, stop_suite  # noqa: E402  # the same

SAMPLES = ROOT / "examples" / "samples"
PAGES = {
    "dashboard": "/",
    "capture": "/capture",
    "sessions": "/sessions",
    "batch": "/batch",
    "library": "/library",
    "reviews": "/review",
    "system": "/system",
}
LOOKS = [(1280, 800, "light"), (1280, 800, "dark"), (360, 740, "light"), (3840, 2160, "light")]
_WAIT_MS = 120_000
_SETTLE_MS = 1500


@contextmanager
def suite_of_its_own() -> Iterator[str]:
    """A suite behind a door; gives its address for browsers."""
    suite = start_suite()
    try:
        with tempfile.TemporaryDirectory(prefix="vidence-pictures-") as folder:
            pages = ROOT / "clients" / "web" / "app" / "dist"
            door = Door(Path(folder), suite.address, BRIDGE__PAGES_DIR=str(pages))
            try:
                door.start()
                yield door.url
            finally:
                door.close()
    finally:
        stop_suite(suite)


def fill(page: Page) -> dict[str, str]:
    """Reads a batch and reviews it: something to see on each page. Gives further paths to look at."""
    page.goto("/batch")
    files = [SAMPLES / "passport.jpg", SAMPLES / "page.png"]
    page.locator("[data-choose=files]").set_input_files(files)
    page.locator(".image-row.read").nth(1).wait_for()
    batch = page.url.split("id=")[1]
    page.goto(f"/review?of=batches/{batch}")
    page.get_by_label("Your name").fill("Ana Reyes")
    page.get_by_role("button", name="Take part").click()
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Add a note").fill("The second image is a page of text, not a document.")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".notes li").first.wait_for()
    page.get_by_role("button", name="Approve").click()
    page.locator(".badge.good").wait_for()
    return {"batch_read": f"/batch?id={batch}", "review": f"/review?of=batches/{batch}"}


def take(browser: Browser, url: str, folder: Path) -> list[Path]:
    """All pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(base_url=url, locale="en-GB")
    context.set_default_timeout(_WAIT_MS)
    page = context.new_page()
    paths = {**PAGES, **fill(page)}
    taken = []
    for width, height, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("(scheme) => localStorage.setItem('vidence.scheme', scheme)", scheme)
        for name, path in paths.items():
            page.goto(path)
            page.wait_for_timeout(_SETTLE_MS)
            taken.append(folder / f"{name}-{width}-{scheme}.png")
            page.screenshot(path=taken[-1])
    context.close()
    return taken


def main() -> None:
    """Takes the pictures and says where they are."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "screenshots")
    parser.add_argument("--url", help="of a suite that runs already")
    arguments = parser.parse_args()
    executable = shutil.which("chromium")
    if executable is None:
        raise SystemExit("Chromium is not installed: `make system` installs it")
    camera = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=camera)
        if arguments.url:
            taken = take(browser, arguments.url, arguments.folder)
        else:
            with suite_of_its_own() as url:
                taken = take(browser, url, arguments.folder)
        browser.close()
    print(f"{len(taken)} pictures in {arguments.folder}")


if __name__ == "__main__":
    main()
