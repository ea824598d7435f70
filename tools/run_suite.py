"""Starts the suite, reads the samples live, says where everything is. Behind `make run` and `make demo`.

`make run` stays up until Ctrl-C; `make demo` (`--once`) exits when the samples are read. Ports and all else
are the suite's own settings: `VIDENCE_SERVER__PORT=6000 make run`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ("passport.jpg", "id-card.jpg", "page.png")
START_LIMIT_S = 60.0
STOP_LIMIT_S = 4.0


def vidence() -> str:
    """The command beside the interpreter that runs this."""
    return str(Path(sys.executable).with_name("vidence"))


@contextmanager
def running_suite() -> Iterator[subprocess.Popen[bytes]]:
    """The suite as a process of its own, ended within seconds whatever happens."""
    # A session of its own: Ctrl-C reaches this process only, which then stops the suite in order.
    suite = subprocess.Popen([vidence(), "serve", "all"], start_new_session=True)
    try:
        yield suite
    finally:
        suite.send_signal(signal.SIGTERM)
        try:
            suite.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            suite.kill()
            suite.wait()


def wait_until_serving(suite: subprocess.Popen[bytes], address: str) -> bool:
    """Whether the suite became healthy; false when it ended or took too long."""
    deadline = time.monotonic() + START_LIMIT_S
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while suite.poll() is None and time.monotonic() < deadline:
            try:
                answer = health.Check(  # type: ignore[attr-defined]  # the stubs know only the async side
                    health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True
                )
            except grpc.RpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return True
            time.sleep(0.1)
    return False


def server_address() -> str:
    """Where the suite will listen, by its own settings."""
    host = os.environ.get("VIDENCE_SERVER__HOST", "127.0.0.1")
    return f"{host}:{os.environ.get('VIDENCE_SERVER__PORT', '50051')}"


def print_addresses(address: str) -> None:
    """What a newcomer wants to know next."""
    metrics = os.environ.get("VIDENCE_METRICS__PORT", "9464")
    sample = "examples/samples/passport.jpg"
    print(
        f"""
  Vidence is up.
    gRPC      {address}   (reflection and grpc.health.v1 are on)
    metrics   http://127.0.0.1:{metrics}/metrics

  Try next, in another terminal:
    .venv/bin/vidence extract {sample} --server {address}
    .venv/bin/vidence extract {sample} --json | head -3
    .venv/bin/grpcurl -plaintext {address} list
""",
        flush=True,
    )


def main() -> int:
    """Runs it; the exit code is that of reading the samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit when the samples are read")
    once = parser.parse_args().once
    address = server_address()
    samples = [str(ROOT / "examples" / "samples" / name) for name in SAMPLES]
    try:
        with running_suite() as suite:
            if not wait_until_serving(suite, address):
                print(f"The suite did not start at {address}; its own words are above.", file=sys.stderr)
                return 1
            command = [vidence(), "extract", *samples, "--server", address]
            read = subprocess.run(command, check=False).returncode
            print_addresses(address)
            if not once:
                print("  Ctrl-C stops it.", flush=True)
                suite.wait()
            return read
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        return 0


if __name__ == "__main__":
    # A job that a shell put into the background inherits an ignored SIGINT; both signals mean the same here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
