"""A real browser in front of the pages, a real Envoy and a real suite."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser_page import WEB, watch_for_errors
from e2e.bridge_door import Door
from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import PATIENCE_S
from fakes.camera_files import ChangingCamera, Pixels, write_camera_file

Filming = Callable[[Pixels | ChangingCamera], Page]

expect.set_options(timeout=1000 * PATIENCE_S)  # for what must happen, as everywhere else


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of this folder together (`--dist loadgroup`): one suite and one door serve them all."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def suite() -> Iterator[LiveSuite]:
    live = start_suite()
    yield live
    stop_suite(live)


@pytest.fixture(scope="session")
def door(suite: LiveSuite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The suite behind the bridge and Envoy, with the built pages."""
    opened = Door(tmp_path_factory.mktemp("door"), suite.address, BRIDGE__PAGES_DIR=str(WEB / "app" / "dist"))
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")  # while it is open its loop is the thread's: no other test could run one
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with a camera that shows a moving pattern."""
    executable = shutil.which("chromium")
    assert executable is not None, "Chromium is not installed: `make test` installs it"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=executable,
            # The sandbox needs rights that root in a container has not; the pages are our own.
            args=["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, door: Door) -> Iterator[Page]:
    """A page of its own; the test fails where it logs an error or breaks its Content-Security-Policy."""
    context = browser.new_context(base_url=door.url, locale="en-GB", viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    with watch_for_errors(opened):
        yield opened
    context.close()


@pytest.fixture
def filming(browser: Browser, door: Door, tmp_path: Path) -> Iterator[Filming]:
    """Opens the capture page in a browser whose camera shows a picture, or one that changes."""
    with ExitStack() as stack:

        def opened(scene: Pixels | ChangingCamera) -> Page:
            if isinstance(scene, ChangingCamera):
                file = scene.path
            else:
                file = write_camera_file(tmp_path / "camera.mjpeg", scene)
            own = browser.browser_type.launch(
                executable_path=shutil.which("chromium"),
                args=[
                    "--no-sandbox",
                    "--use-fake-ui-for-media-stream",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-video-capture={file}",
                ],
            )
            stack.callback(own.close)
            context = own.new_context(
                base_url=door.url, locale="en-GB", viewport={"width": 1280, "height": 800}
            )
            page = context.new_page()
            stack.enter_context(watch_for_errors(page))
            page.goto("/capture")
            return page

        yield opened
