"""The client for plain code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import extraction_servicer as fake
from vidence_client import ServerUnreachable, VidenceError, sync
from vidence_client.extraction import Response


@pytest.fixture
def served() -> Iterator[fake.Served]:
    servicer = fake.ScriptedExtraction(scripts={b"hang": [*fake.PASSPORT[:2], fake.Hang()]})
    with fake.serving_in_thread(servicer) as served:
        yield served


@pytest.fixture
def address(served: fake.Served) -> str:
    return served.address


def background_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vidence-client"]


@pytest.mark.requirement("R-EX1")
def test_all_calls_work_without_a_loop(address: str) -> None:
    with sync.Client(address) as client:
        assert list(client.extraction.extract(b"picture")) == fake.PASSPORT
        assert client.extraction.read(b"picture").document.document_type == "passport"
        assert [kind.key for kind in client.extraction.list_document_types()] == ["passport", "text"]


def test_one_client_serves_many_threads(address: str) -> None:
    with sync.Client(address) as client, ThreadPoolExecutor(8) as pool:

        def read(_: int) -> list[Response]:
            return list(client.extraction.extract(b"picture"))

        assert all(messages == fake.PASSPORT for messages in pool.map(read, range(24)))


async def test_it_works_where_a_loop_runs_already() -> None:
    async with fake.serving(fake.ScriptedExtraction()) as address:

        def read() -> list[Response]:
            with sync.Client(address) as client:
                return list(client.extraction.extract(b"picture"))

        assert await asyncio.to_thread(read) == fake.PASSPORT


def test_errors_come_through(served: fake.Served, address: str) -> None:
    served.servicer.script = fake.CORRUPT_SCRIPT
    with sync.Client(address) as client, pytest.raises(VidenceError, match="IMAGE_CORRUPT"):
        list(client.extraction.extract(b"picture"))
    with sync.Client("127.0.0.1:1") as client, pytest.raises(ServerUnreachable):
        client.extraction.read(b"picture")


def test_leaving_the_stream_cancels_the_call(served: fake.Served, address: str) -> None:
    with sync.Client(address) as client:
        with client.extraction.extract(b"hang") as stream:
            assert next(stream).HasField("connected")
            assert next(stream).HasField("extraction_start")
        assert list(stream) == []
    served.wait_for(served.servicer.cancelled)


def test_closing_the_client_ends_what_other_threads_wait_for(address: str) -> None:
    client = sync.Client(address)
    stream = client.extraction.extract(b"hang")
    assert next(stream).HasField("connected")
    assert next(stream).HasField("extraction_start")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, stream)
        client.close()
        # "this client" where the close came first
        with pytest.raises((VidenceError, RuntimeError), match="closed"):
            waiting.result()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.extraction.read(b"picture")


def test_a_forgotten_client_takes_its_thread_with_it(address: str) -> None:
    before = len(background_threads())
    client = sync.Client(address)
    stream = client.extraction.extract(b"picture")
    del client
    gc.collect()
    assert len(list(stream)) == len(fake.PASSPORT)  # a stream keeps what it needs
    assert len(background_threads()) == before + 1
    del stream
    gc.collect()
    assert len(background_threads()) == before


PROGRAM = """
import sys
from vidence_client import sync
client = sync.Client(sys.argv[1])
stream = client.extraction.extract(sys.argv[2].encode())
print(next(stream).WhichOneof("payload"), next(stream).WhichOneof("payload"), flush=True)
{rest}
"""


def test_a_program_ends_although_nothing_was_closed(address: str) -> None:
    program = PROGRAM.format(rest="")
    ended = subprocess.run(
        [sys.executable, "-c", program, address, "hang"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "connected extraction_start\n"
    assert ended.stderr == ""


def test_an_interrupt_reaches_the_waiting_program(address: str) -> None:
    program = PROGRAM.format(rest="next(stream)")
    process = subprocess.Popen(
        [sys.executable, "-c", program, address, "hang"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_forked_process_is_told_to_make_its_own_client(address: str) -> None:
    program = PROGRAM.format(
        rest="""
import os
child = os.fork()
if child == 0:
    try:
        client.extraction.read(b"picture")
    except RuntimeError as error:
        print(error, flush=True)
    client.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(client.extraction.read(b"picture").document.document_type)
"""
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, address, "picture"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},  # as the module asks
    )
    lines = ended.stdout.splitlines()
    assert "before a fork" in lines[1]
    assert lines[2] == "passport"
