"""`make bench-web`: what the pages cost in a real browser. `docs/benchmarks.md` explains it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.machine import description
from benchmarks.real_data import ROOT
from benchmarks.report import bullets
from benchmarks.web.probes import LONG_TASKS, ROW_TIMES, STREAMS
from benchmarks.web.standing import Feed, Measured, as_json, as_table, bundle_bytes, floors
from e2e.bridge_door import Door
from e2e_suite import start_suite, stop_suite
from vidence.event.v1 import event_pb2
from vidence_client import Publisher
from vidence_client.sync import Client

RESULTS = ROOT / "benchmarks" / "results"
DIST = ROOT / "clients" / "web" / "app" / "dist"
_WAIT_MS = 60_000
_WARM_UP_EVENTS = 200
_ASIDE = 10
"""Niceness of the servers: in life they do not share the browser's cores."""
_KEPT_EVENTS = 10_000
"""What the feed shows at most: more would look like loss."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-web", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="for how long the feed is kept busy")
    parser.add_argument("--rounds", type=int, default=5, help="how often, each time in a new page")
    parser.add_argument("--events", type=int, default=200, help="events whose way to the page is timed")
    parser.add_argument("--rate", type=float, default=200, help="events per second of the feed")
    parser.add_argument("--trial", action="store_true", help="a few seconds: means little")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


def _event(topic: str, number: int) -> event_pb2.Event:
    return event_pb2.Event(
        source="vidence/bench", id=f"{topic}-{number}", type=f"{topic}.told", subject=f"{topic}/{number}"
    )


@contextmanager
def _feed(browser: Browser, url: str, topic: str) -> Iterator[Page]:
    """The dashboard, live, showing the events of one topic."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(_WAIT_MS)
    page = context.new_page()
    page.goto("/")
    with page.expect_response("**/ListEvents"):
        page.get_by_label("Types").fill(f"{topic}.*")
        page.get_by_label("Types").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Live", timeout=_WAIT_MS)
    yield page
    context.close()


def _latencies(page: Page, client: Client, topic: str, events: int) -> list[float]:
    """Publishes one event after another, each when the last one is shown; ms until the row is there."""
    page.evaluate(ROW_TIMES)
    told: list[float] = []
    for number in range(events):
        event = _event(topic, number)
        begin_ms = time.time() * 1000
        client.events.publish(event)
        seen = page.wait_for_function("(subject) => window.seen[subject]", arg=event.subject)
        told.append(float(seen.json_value()) - begin_ms)
    return told


def _publish_evenly(address: str, topic: str, rate: float, seconds: float, done: list[int]) -> None:
    begin_s = time.monotonic()
    number = 0
    with Publisher(address, source="vidence/bench") as publisher:
        while (passed_s := time.monotonic() - begin_s) < seconds:
            if number < passed_s * rate:
                publisher.publish(f"{topic}.told", subject=f"{topic}/{number}")
                number += 1
            else:
                time.sleep(max(0.0, number / rate - passed_s))
    done.append(number)


def _busy_feed(page: Page, client: Client, topic: str, rate: float, seconds: float) -> Feed:
    """Keeps the feed busy."""
    for number in range(_WARM_UP_EVENTS):  # the list is long enough to scroll, the code is compiled
        client.events.publish(_event(topic, number))
    _wait_for_rows(page, _WARM_UP_EVENTS)
    page.evaluate(LONG_TASKS)
    done: list[int] = []
    publisher = threading.Thread(target=_publish_evenly, args=(client.address, topic, rate, seconds, done))
    publisher.start()
    while publisher.is_alive():
        page.wait_for_timeout(200)
    publisher.join()
    tasks, frames = page.evaluate("() => [window.tasks, window.frames]")
    shown = _wait_for_rows(page, _WARM_UP_EVENTS + done[0]) - _WARM_UP_EVENTS
    return Feed(seconds, done[0], shown, tuple(map(float, tasks)), int(frames))


def _wait_for_rows(page: Page, rows: int) -> int:
    """How many rows the list has, as soon as it has as many as expected."""
    first = page.locator(".virtual-list [role=listitem]").first
    expect(first).to_have_attribute("aria-setsize", str(rows), timeout=_WAIT_MS)
    return int(first.get_attribute("aria-setsize") or 0)


def _measure(browser: Browser, door: Door, client: Client, arguments: argparse.Namespace) -> Measured:
    topic = f"bench{uuid.uuid4().hex[:8]}"
    with _feed(browser, door.url, topic) as page:
        latency_ms = _latencies(page, client, topic, arguments.events)
    with browser.new_context(base_url=door.tls_url, ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto("/")
        streams_ms = page.evaluate(STREAMS, 12)
    feeds = []
    for number in range(arguments.rounds):
        own = f"{topic}x{number}"
        with _feed(browser, door.url, own) as page:
            feeds.append(_busy_feed(page, client, own, arguments.rate, arguments.seconds))
    return Measured(
        latency_ms=tuple(latency_ms),
        streams_ms=tuple(streams_ms),
        feeds=tuple(feeds),
        bundle_bytes=bundle_bytes(DIST),
    )


def _stand_aside(session: int) -> None:
    """Lets the processes of a session give way to the browser."""
    os.setpriority(os.PRIO_PGRP, session, _ASIDE)
    with suppress(OSError):  # where Linux shares out by session first, that of the session is what counts
        Path(f"/proc/{session}/autogroup").write_text(str(_ASIDE))


def _run(arguments: argparse.Namespace) -> tuple[Measured, str]:
    executable = shutil.which("chromium")
    if executable is None:
        raise SystemExit("Chromium is not installed: `make system` installs it")
    suite = start_suite("event")
    try:
        with tempfile.TemporaryDirectory(prefix="vidence-bench-") as folder:
            door = Door(Path(folder), suite.address, BRIDGE__PAGES_DIR=str(DIST))
            try:
                door.start()
                for process in (suite.process, door.bridge, door.envoy):
                    if process is not None:
                        _stand_aside(process.pid)
                with sync_playwright() as playwright, Client(suite.address) as client:
                    browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
                    measured = _measure(browser, door, client, arguments)
                    version = browser.version
                    browser.close()
            finally:
                door.close()
    finally:
        stop_suite(suite)
    return measured, version


def main() -> int:
    """Measures, writes the results, and says which floors were reached."""
    arguments = _arguments()
    if arguments.trial:
        arguments.seconds, arguments.rounds, arguments.events = 4.0, 1, 20
    if arguments.rate * arguments.seconds + _WARM_UP_EVENTS > _KEPT_EVENTS:
        raise SystemExit(f"the feed keeps {_KEPT_EVENTS} events: choose a lower rate, or less time")
    machine = description()
    measured, chromium = _run(arguments)
    facts = {
        **machine,
        "Chromium": f"{chromium}, headless, no throttling",
        "Envoy and suite": "on the same machine, niceness 10",
    }
    reached = floors(measured)
    verdicts = "\n".join(map(str, reached))
    arguments.results.mkdir(parents=True, exist_ok=True)
    told = {"machine": facts, **as_json(measured), "floors": {f.name: f.reached for f in reached}}
    (arguments.results / "web.json").write_text(json.dumps(told, indent=2) + "\n")
    text = f"# The pages in a browser\n\n{as_table(measured)}\n\n```\n{verdicts}\n```\n\n{bullets(facts)}\n"
    (arguments.results / "web.md").write_text(text)
    print(f"{as_table(measured)}\n\n{verdicts}")
    return 0 if all(floor.reached for floor in reached) else 1


if __name__ == "__main__":
    sys.exit(main())
