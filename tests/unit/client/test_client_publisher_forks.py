"""Publishing across forks and at the end of programs, each in a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from fakes.event_servicer import Bus, Served, serving_in_thread

pytestmark = pytest.mark.requirement("R-ST9")

HEAD = """
import asyncio, atexit, multiprocessing, os, sys, threading
from vidence_client import Publisher, RetryPolicy, sync
from vidence_client.publishing.forking import FORKS

address = sys.argv[1]
publisher = Publisher(address, source="till/7", retry=RetryPolicy(base_delay_s=0.01))


def sell(who, count):
    for _ in range(count):
        publisher.publish("till.sold", subject=who)


def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            done = publisher.flush(30)
            numbers = publisher.statistics()
            good = done and numbers.published == numbers.acknowledged
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    return pid


def wait(*pids):
    for pid in pids:
        status = os.waitpid(pid, 0)[1]
        assert status == 0, status


def finish():
    assert publisher.close(30), publisher.last_failure
    numbers = publisher.statistics()
    assert numbers.published == numbers.acknowledged, numbers
"""


@pytest.fixture
def served() -> Iterator[Served]:
    with serving_in_thread(Bus()) as served:
        yield served


# gRPC's own fork handlers crash children of a process that is in the middle of a call
WITHOUT_HANDLERS = {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"}


def run(
    served: Served, program: str, *, code: int = 0, environ: dict[str, str] | None = None
) -> Counter[str]:
    """Runs the program, and counts what arrived by its subject."""
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + program, served.address],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environ,
    )
    assert ended.returncode == code, ended.stderr
    assert ended.stderr == "" or code
    ids = [event.id for event in served.bus.log]
    assert len(ids) == len(set(ids))
    return Counter(event.subject for event in served.bus.log)


def test_a_child_sends_its_own_and_the_parent_its_own(served: Served) -> None:
    program = """
sell("parent", 100)
pids = []
for number in range(8):
    sell("parent", 10)
    pids.append(child(lambda: sell("child", 25)))
sell("parent", 20)
wait(*pids)
finish()
"""
    assert run(served, program) == {"parent": 200, "child": 200}


def test_a_fork_before_anything_was_published(served: Served) -> None:
    assert run(served, 'wait(child(lambda: sell("child", 5)))\nsell("parent", 5)\nfinish()') == {
        "child": 5,
        "parent": 5,
    }


def test_a_child_that_only_ends_sends_nothing_of_its_parent(served: Served) -> None:
    program = """
sell("parent", 50)
wait(child(lambda: None))
finish()
"""
    assert run(served, program) == {"parent": 50}


def test_grandchildren_publish_too(served: Served) -> None:
    program = """
sell("parent", 5)
def family():
    sell("child", 5)
    wait(child(lambda: sell("grandchild", 5)))
wait(child(family))
finish()
"""
    assert run(served, program) == {"parent": 5, "child": 5, "grandchild": 5}


def test_a_child_of_a_process_where_grpc_runs_sends_through_a_fresh_process(served: Served) -> None:
    program = """
client = sync.Client(address)
client.events.statistics()
sell("parent", 20)
def work():
    assert FORKS.grpc_is_lost
    sell("child", 20)
    assert publisher.flush(30)
    sell("child", 20)
    wait(child(lambda: sell("grandchild", 5)))
wait(child(work), child(work))
assert not FORKS.grpc_is_lost
client.events.statistics()
finish()
"""
    arrived = run(served, program, environ=WITHOUT_HANDLERS)
    assert arrived == {"parent": 20, "child": 80, "grandchild": 10}


def test_the_fresh_process_connects_again_after_a_cut(served: Served) -> None:
    program = """
client = sync.Client(address)
client.events.statistics()
def work():
    for _ in range(4):
        sell("child", 5)
        assert publisher.flush(30)
    assert publisher.statistics().reconnects == 2
wait(child(work))
finish()
"""
    served.bus.faults.publish_cuts.extend([1, 2])
    assert run(served, program, environ=WITHOUT_HANDLERS) == {"child": 20}


def test_a_child_that_dies_hands_over_what_it_had_sent(served: Served) -> None:
    program = """
client = sync.Client(address)
client.events.statistics()
pid = os.fork()
if pid == 0:
    sell("child", 20)
    publisher.flush(30)
    os.kill(os.getpid(), 9)
assert os.waitpid(pid, 0)[1] == 9
sell("parent", 5)
finish()
"""
    assert run(served, program, environ=WITHOUT_HANDLERS) == {"child": 20, "parent": 5}


def test_processes_of_multiprocessing_need_no_flush(served: Served) -> None:
    program = """
sell("parent", 10)
context = multiprocessing.get_context("fork")
workers = [context.Process(target=sell, args=("child", 30)) for _ in range(3)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
    assert worker.exitcode == 0
finish()
"""
    assert run(served, program) == {"parent": 10, "child": 90}


def test_a_forked_child_that_ends_by_itself_needs_no_flush(served: Served) -> None:
    program = """
sell("parent", 10)
pid = os.fork()
if pid == 0:
    sell("child", 30)
    sys.exit(0)
wait(pid)
finish()
"""
    assert run(served, program) == {"parent": 10, "child": 30}


def test_other_threads_publish_while_the_process_forks(served: Served) -> None:
    program = """
stop = threading.Event()
counts = [0] * 4
def keep_selling(place):
    while not stop.is_set():
        publisher.publish("till.sold", subject="thread")
        counts[place] += 1
        stop.wait(0.0005)
threads = [threading.Thread(target=keep_selling, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for _ in range(10):
    wait(child(lambda: sell("child", 5)))
stop.set()
for thread in threads:
    thread.join()
sell("thread", 5_000 - sum(counts) if sum(counts) < 5_000 else 0)
finish()
assert publisher.statistics().published == max(5_000, sum(counts))
"""
    arrived = run(served, program)
    assert arrived["child"] == 50
    assert arrived["thread"] >= 5_000


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(0)", "asyncio.run(asyncio.sleep(0))"],
    ids=["at its end", "sys.exit", "after a loop"],
)
def test_a_program_that_ends_sends_what_waits(served: Served, ending: str) -> None:
    assert run(served, f'sell("parent", 500)\n{ending}') == {"parent": 500}


def test_a_program_that_fails_sends_what_waits(served: Served) -> None:
    assert run(served, 'sell("parent", 50)\nsys.exit(3)', code=3) == {"parent": 50}


def test_functions_at_exit_may_still_publish(served: Served) -> None:
    assert run(served, 'atexit.register(sell, "exit", 5)\nsell("parent", 5)') == {"parent": 5, "exit": 5}


def test_a_program_ends_in_time_although_no_server_answers() -> None:
    program = HEAD.replace("base_delay_s=0.01)", "base_delay_s=0.01), exit_timeout_s=0.2")
    ended = subprocess.run(
        [sys.executable, "-c", program + 'sell("parent", 5)', "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
