"""Publishing from every kind of code against a real server: what was published is what is sent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite
from vidence_client import Client, Publisher, RetryPolicy, make_event, sync

pytestmark = pytest.mark.requirement("R-ST9", "R-EV1")

COUNT = 400
PATIENCE_S = 60.0
QUICK = RetryPolicy(base_delay_s=0.02, maximum_delay_s=0.2)

# Where the events come from, as a program: it publishes COUNT events and says what its publisher counted.
PROGRAM = """
import asyncio, multiprocessing, os, sys
from concurrent.futures import ThreadPoolExecutor
from vidence_client import Publisher

address, COUNT = sys.argv[1], int(sys.argv[2])
publisher = Publisher(address, source="e2e/till")

def sell(count=COUNT):
    for _ in range(count):
        publisher.publish("till.sold")

def finish():
    assert publisher.close(60), publisher.last_failure

{work}
"""

PLACES = {
    "plain function": "sell()\nfinish()",
    "eight threads": "with ThreadPoolExecutor(8) as pool: list(pool.map(sell, [COUNT // 8] * 8))\nfinish()",
    "before a loop": "sell()\nasyncio.run(publisher.aclose(60))",
    "after a loop closed": "asyncio.run(asyncio.sleep(0))\nsell()\nfinish()",
    "inside a running loop": """
async def main():
    for _ in range(COUNT):
        publisher.publish("till.sold")
        await asyncio.sleep(0)
    assert await publisher.aclose(60)
asyncio.run(main())""",
    "at exit, without a flush": "sell()",
    "os.fork": """
sell(COUNT // 4)
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        sell(COUNT // 4)
        os._exit(0 if publisher.flush(60) else 1)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
finish()""",
    "multiprocessing, fork": """
sell(COUNT // 4)
context = multiprocessing.get_context("fork")
workers = [context.Process(target=sell, args=(COUNT // 4,)) for _ in range(3)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert [worker.exitcode for worker in workers] == [0, 0, 0]
finish()""",
    "forked before the first event": """
pid = os.fork()
sell(COUNT // 2)
if pid == 0:
    os._exit(0 if publisher.flush(60) else 1)
assert os.waitpid(pid, 0)[1] == 0
finish()""",
}


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSuite]:
    folder = tmp_path_factory.mktemp("bus")
    live = start_suite("event", environ={"VIDENCE_DATA_DIR": str(folder)})
    yield live
    stop_suite(live)


@pytest.fixture
def client(bus: LiveSuite) -> Iterator[sync.Client]:
    with sync.Client(bus.address, retry=QUICK) as client:
        yield client


def eventually(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it did not become so"
        time.sleep(0.01)


@pytest.mark.parametrize("place", PLACES)
def test_what_was_published_is_what_is_delivered(place: str, bus: LiveSuite, client: sync.Client) -> None:
    before = client.events.statistics()
    with client.events.subscribe(sources=["e2e/till"]) as watch:
        opened = watch.messages()
        assert next(opened).control.HasField("connected")
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(work=PLACES[place]), bus.address, str(COUNT)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        ids = [next(watch).id for _ in range(COUNT)]
        assert len(set(ids)) == COUNT

        def delivered() -> bool:
            return client.events.statistics().total_delivered - before.total_delivered == COUNT

        eventually(delivered)
    after = client.events.statistics()
    assert after.total_published - before.total_published == COUNT
    assert after.total_errors == before.total_errors


def test_threads_and_loops_of_one_process_publish_at_once(bus: LiveSuite, client: sync.Client) -> None:
    before = client.events.statistics().total_published
    with Publisher(bus.address, source="e2e/mixed", retry=QUICK) as publisher:

        def plain(_: int) -> None:
            for _ in range(100):
                publisher.publish("till.sold")

        def in_a_loop(_: int) -> None:
            async def main() -> None:
                for _ in range(100):
                    await publisher.publish_async(make_event("till.sold"))

            asyncio.run(main())

        with ThreadPoolExecutor(8) as pool:
            mine = [pool.submit(plain if place % 2 else in_a_loop, place) for place in range(8)]
            for one in mine:
                one.result(PATIENCE_S)
        assert publisher.flush(PATIENCE_S)
        assert publisher.statistics().acknowledged == 800
    assert client.events.statistics().total_published - before == 800


@pytest.mark.requirement("R-ST4", "R-EV6")
async def test_a_restart_of_the_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    # a socket file: nobody else takes it while the server is away
    environ = {"VIDENCE_DATA_DIR": str(tmp_path), "VIDENCE_SERVER__HOST": f"unix:{tmp_path}/bus"}
    live = await asyncio.to_thread(start_suite, "event", environ=environ)
    seen: list[str] = []
    try:
        async with (
            Client(live.address, retry=QUICK) as client,
            Publisher(live.address, source="e2e/till", retry=QUICK) as publisher,
            client.events.subscribe(from_start=True) as watch,
            asyncio.timeout(PATIENCE_S),
        ):
            for ending in (stop_suite, kill):  # once in order, once by force
                for _ in range(200):
                    publisher.publish("till.sold")
                seen.append((await anext(watch)).id)
                await asyncio.to_thread(ending, live)
                publisher.publish("till.closed")
                live = await asyncio.to_thread(start_suite, "event", environ=environ)
            assert await publisher.flush_async(PATIENCE_S)
            while len(seen) < 402:
                seen.append((await anext(watch)).id)
            listed = [event.id async for event in client.events.list()]
    finally:
        await asyncio.to_thread(stop_suite, live)
    assert len(set(seen)) == 402
    assert sorted(listed) == sorted(seen)


def kill(suite: LiveSuite) -> None:
    os.kill(suite.process.pid, 9)
    stop_suite(suite)
