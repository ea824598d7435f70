"""`make screenshots`: each page in its states in a real browser, to be looked at.

Wide and narrow, light and dark, in each language. Starts a suite of its own with something to show, or takes
pictures of one that runs (`--url`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.bridge_door import Door  # noqa: E402  # found by the line above
from e2e_suite import start_suite, stop_suite  # noqa: E402  # the same
from fakes.camera_files import Pixels, far_from_camera, sample_before_camera, write_camera_file  # noqa: E402  # the same

SAMPLES = ROOT / "examples" / "samples"
LOOKS = [
    (1280, 800, "light", "en"),
    (1280, 800, "dark", "fil"),
    (360, 740, "light", "es"),
    (3840, 2160, "light", "en"),
]
LIBRARY = "passports"
_WAIT_MS = 120_000
_SETTLE_MS = 1200


@dataclass(frozen=True)
class State:
    """A page, and what is done on it before the pictures are taken."""

    name: str
    path: str
    arrange: Callable[[Page], None] = lambda _page: None


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


def fill(page: Page) -> list[State]:
    """Reads a batch and reviews it, keeps documents, begins sessions; gives the states that show them."""
    files: list[FilePayload] = [
        {"name": path.name, "mimeType": "image/*", "buffer": path.read_bytes()}
        for path in (SAMPLES / "passport.jpg", SAMPLES / "page.png")
    ]
    files.append({"name": "broken.jpg", "mimeType": "image/*", "buffer": files[0]["buffer"][:2000]})
    page.goto("/batch")
    page.locator("[data-choose=files]").set_input_files(files)
    page.locator(".image-row.read").nth(1).wait_for()
    page.locator(".image-row.failed").wait_for()
    batch = page.url.split("id=")[1]
    _review(page, f"batches/{batch}")
    _keep(page)
    for reference in ("Counter 3", "Counter 4"):
        plan = {"targets": ["TARGET_DOCUMENT_FRONT", "TARGET_FACE"], "reference": reference}
        page.request.post("/v1/sessions", data={"plan": plan})
    return [
        State("batch_read", f"/batch?id={batch}"),
        State(
            "batch_result", f"/batch?id={batch}", lambda p: p.locator(".image-row.read button").first.click()
        ),
        State("review", f"/review?of=batches/{batch}"),
    ]


def _review(page: Page, subject: str) -> None:
    page.goto(f"/review?of={subject}")
    page.get_by_label("Your name").fill("Ana Reyes")
    page.get_by_role("button", name="Take part").click()
    page.get_by_role("button", name="Claim").click()
    page.get_by_label("Add a note").fill("The second image is a page of text, not a document.")
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".notes li").first.wait_for()
    page.get_by_role("button", name="Approve").click()
    page.locator(".badge.good").wait_for()


def _keep(page: Page) -> None:
    page.request.post("/v1/libraries", data={"library_id": LIBRARY, "display_name": "Passports"})
    documents = [
        {
            "document_id": f"passport-{number}",
            "text": f"Passport of {name}, citizen of Utopia, issued in {1990 + number}.",
            "metadata": {"year": {"number_value": 1990 + number}, "kind": {"string_value": "passport"}},
        }
        for number, name in enumerate(("Ana Reyes", "Ben Santos", "Carla Falkenberg", "Dario Cruz"), start=1)
    ]
    page.request.post(
        f"/v1/libraries/{LIBRARY}/documents/stream",
        data="\n".join(map(json.dumps, documents)),
        headers={"content-type": "application/x-ndjson"},
    )


def _search(page: Page) -> None:
    page.locator("input[type=search]").fill("Utopia")
    page.locator(".hit").first.wait_for()


def _opened_hit(page: Page) -> None:
    _search(page)
    page.locator(".hit button").first.click()


def _film(page: Page) -> None:
    page.locator(".choices > button").click()
    page.locator("meter, [role=meter]").first.wait_for()


def _film_until_read(page: Page) -> None:
    _film(page)
    page.locator(".note.good, .note.bad").first.wait_for()


def _upload(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(SAMPLES / "passport.jpg")
    page.locator(".field").first.wait_for()
    page.locator("progress, [role=progressbar]").first.wait_for(state="hidden")


STATES = [
    State("dashboard", "/"),
    State("dashboard_event", "/", lambda page: page.locator(".event-row").first.click()),
    State("capture", "/capture"),
    State("capture_guided", "/capture", _film),
    State("capture_uploaded", "/capture", _upload),
    State("sessions", "/sessions"),
    State("session", "/sessions", lambda page: page.locator(".card").first.click()),
    State("batch", "/batch"),
    State("library", f"/library?id={LIBRARY}"),
    State("library_search", f"/library?id={LIBRARY}", _search),
    State("library_hit", f"/library?id={LIBRARY}", _opened_hit),
    State("reviews", "/review"),
    State("system", "/system"),
]
CAPTURED = State("capture_read", "/capture", _film_until_read)


def take(page: Page, states: list[State], folder: Path) -> int:
    """Pictures of each state in each look; how many."""
    for state in states:
        page.set_viewport_size({"width": LOOKS[0][0], "height": LOOKS[0][1]})
        page.goto(state.path)
        state.arrange(page)
        for width, height, scheme, language in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            # In the page as it stands: a reload would end what it shows.
            for number, value in enumerate((language, scheme)):
                choice = page.locator("nav select").nth(number)
                choice.evaluate(
                    "(select, value) => { select.value = value;"
                    " select.dispatchEvent(new Event('change', { bubbles: true })); }",
                    value,
                )
            page.wait_for_timeout(_SETTLE_MS)
            page.screenshot(path=folder / f"{state.name}-{width}-{scheme}-{language}.png")
    return len(states) * len(LOOKS)


@contextmanager
def browser_before(scene: Pixels, launch: Callable[..., Browser], url: str) -> Iterator[Page]:
    """A page of a browser whose camera shows a scene."""
    executable = shutil.which("chromium")
    if executable is None:
        raise SystemExit("Chromium is not installed: `make system` installs it")
    with tempfile.TemporaryDirectory(prefix="vidence-camera-") as folder:
        file = write_camera_file(Path(folder) / "camera.mjpeg", scene)
        browser = launch(
            executable_path=executable,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={file}",
            ],
        )
        try:
            page = browser.new_page(base_url=url, locale="en-GB")
            page.set_default_timeout(_WAIT_MS)
            yield page
        finally:
            browser.close()


def main() -> None:
    """Takes the pictures and says where they are."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "screenshots")
    parser.add_argument("--url", help="of a suite that runs already")
    parser.add_argument("--only", help="names of states that contain this")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        if arguments.url:
            taken = _all(playwright.chromium.launch, arguments.url, arguments)
        else:
            with suite_of_its_own() as url:
                taken = _all(playwright.chromium.launch, url, arguments)
    print(f"{taken} pictures in {arguments.folder}")


def _all(launch: Callable[..., Browser], url: str, arguments: argparse.Namespace) -> int:
    taken = 0
    for scene, states, filled in (
        (sample_before_camera(), [CAPTURED], False),
        (far_from_camera(sample_before_camera(), 0.45), STATES, True),
    ):
        with browser_before(scene, launch, url) as page:
            shown = [*states, *(fill(page) if filled else [])]
            wanted = [state for state in shown if (arguments.only or "") in state.name]
            taken += take(page, wanted, arguments.folder)
    return taken


if __name__ == "__main__":
    main()
