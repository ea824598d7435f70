"""An event service in a process of its own, which a test may stop, kill and start again."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

import grpc

from e2e_suite import LiveSuite, stop_suite
from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.event.v1.event_statistics_pb2 import Statistics

OWN_CONNECTION = (
    ("grpc.enable_http_proxy", 0),
    # Channels of one process share connections otherwise.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # Also the time that one attempt to connect has.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", -1),
)
"""Options of a channel with a connection of its own that comes back soon."""


class BusProcess:
    """`vidence serve event` on one data folder and one port, through several lives.

    Args:
        data: Its folder; stays.
        settings: `VIDENCE_<KEY>` by key, such as `EVENT__RING_EVENTS`.
    """

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.environ = {
            "VIDENCE_DATA_DIR": str(data),
            "VIDENCE_SERVER__PORT": str(self.port),
            "VIDENCE_METRICS__PORT": "0",
            "VIDENCE_LOG__FORMAT": "json",
            **{f"VIDENCE_{key}": value for key, value in settings.items()},
        }
        self.suite: LiveSuite | None = None
        # A start in a thread goes on when its test has failed meanwhile.
        self._starting = threading.Lock()

    @property
    def running(self) -> LiveSuite:
        """The process of this life."""
        assert self.suite is not None, "it does not run"
        return self.suite

    @property
    def pid(self) -> int:
        return self.running.process.pid

    def start(self, *, within: Sequence[str] = ()) -> None:
        """Returns when it is ready.

        Args:
            within: A command that runs the one which follows it, in the same process.
        """
        with self._starting:
            command = [*within, sys.executable, "-m", "vidence_server", "serve", "event"]
            process = subprocess.Popen(
                command,
                env={**os.environ, **self.environ},
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self.suite = LiveSuite(process)
            self.suite.ready.wait(60)
            if not any(entry.get("event") == "ready" for entry in self.suite.logs):
                logs = self.suite.logs
                self.kill()
                raise AssertionError(f"the bus did not become ready: {logs}")

    def kill(self) -> None:
        """As `kill -9`."""
        suite, self.suite = self.running, None
        suite.process.send_signal(signal.SIGKILL)
        suite.process.wait()
        suite.reader.join()
        assert suite.process.stderr is not None
        suite.process.stderr.close()

    def stop(self) -> int:
        """As SIGTERM; its exit code."""
        suite, self.suite = self.running, None
        return stop_suite(suite)

    def close(self) -> None:
        """Ends it, where it still runs."""
        with self._starting:
            if self.suite is not None:
                self.stop()

    def limit_files(self, size: int | None) -> None:
        """Lets no file grow beyond a size, in bytes; None: any size that it had been allowed."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


async def statistics(address: str) -> Statistics:
    """The numbers of a bus as they are now."""
    async with grpc.aio.insecure_channel(address, OWN_CONNECTION) as channel:
        stub = pb_grpc.EventServiceStub(channel)
        response = await stub.GetStatistics(pb.GetStatisticsRequest(), wait_for_ready=True)
        numbers: Statistics = response.statistics
        return numbers


def left_behind(bus: BusProcess) -> dict[str, float]:
    """What streams leave behind as long as they are open; empty: nothing."""
    metrics = bus.running.metrics()
    service = "vidence.event.v1.EventService"
    counted = {
        "open streams": metrics["vidence_watch_streams_open", ""],
        "places taken": metrics["vidence_server_service_open_streams", service],
        "subscribers": metrics["vidence_bus_tenant_subscribers", "default"],
        "filters": metrics["vidence_bus_tenant_filters", "default"],
    }
    return {name: value for name, value in counted.items() if value}


def _ports_of_worker() -> Iterator[int]:
    """Ports of this process of the test run in any order, again and again: no other process asks for them.

    Who is given a port listens on it some time later; two workers that drew from the same ports, with the
    same seed, at times met on one.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(20_000 + worker, 32_000, workers)
    return cycle(random.Random().sample(own, len(own)))


_PORTS = _ports_of_worker()


def free_port() -> int:
    """A port that nobody listens on, and that no client is given as its own.

    A client that dials a port which is not listened on, again and again, may otherwise reach itself.
    """
    for port in islice(_PORTS, 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
