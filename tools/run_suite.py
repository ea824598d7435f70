"""Starts the suite, its bridge and Envoy, reads the samples live, says where everything is.

Behind `make run` and `make demo`: `make run` stays up until Ctrl-C; `make demo` (`--once`) exits when the
samples are read. Ports and all else are the settings of the programs: `VIDENCE_SERVER__PORT=6000 make run`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ("passport.jpg", "id-card.jpg", "page.png")
PAGES = ROOT / "clients" / "web" / "app" / "dist"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 3.5
LAST_STOP_LIMIT_S = 0.5
"""The limits of the services and of Envoy, which goes last: streams end in order through it."""


@dataclass(frozen=True)
class Addresses:
    """Where everything listens, by the settings of the programs."""

    server: str
    bridge: str
    http: str
    https: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Addresses:
        """Reads them from the environment."""

        def port(name: str, default: int) -> str:
            return environ.get(f"VIDENCE_{name}", str(default))

        host = environ.get("VIDENCE_SERVER__HOST", "127.0.0.1")
        return cls(
            server=f"{host}:{port('SERVER__PORT', 50051)}",
            bridge=f"127.0.0.1:{port('BRIDGE__PORT', 8081)}",
            http=f"http://localhost:{port('BRIDGE__ENVOY__PORT', 8080)}",
            https=f"https://localhost:{port('BRIDGE__ENVOY__TLS_PORT', 8443)}",
        )

    def settings(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What the bridge and Envoy are told beside what the environment says."""
        told = {
            "VIDENCE_BRIDGE__UPSTREAM": self.server,
            "VIDENCE_BRIDGE__ENVOY__BRIDGE": self.bridge,
            **({"VIDENCE_BRIDGE__PAGES_DIR": str(PAGES)} if PAGES.exists() else {}),
            **environ,
        }
        # The suite has this port already.
        return {**told, "VIDENCE_METRICS__PORT": "0"}


@dataclass(frozen=True)
class Running:
    """The processes."""

    suite: subprocess.Popen[bytes]
    bridge: subprocess.Popen[bytes]
    envoy: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        """Whether one of them is over."""
        return any(process.poll() is not None for process in (self.suite, self.bridge, self.envoy))

    def wait(self) -> None:
        """Returns when one of them is over."""
        while not self.ended:
            time.sleep(0.5)


def vidence() -> str:
    """The command beside the interpreter that runs this."""
    return str(Path(sys.executable).with_name("vidence"))


def start(*arguments: str, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A server command as a process of its own."""
    # A session of its own: Ctrl-C reaches this process only, which then stops the others in order.
    command = [sys.executable, "-m", "vidence_server", *arguments]
    return subprocess.Popen(command, env=dict(environ), start_new_session=True)


def stop(*processes: subprocess.Popen[bytes], limit_s: float) -> None:
    """Ends processes together, within a limit whatever happens."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + limit_s
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(addresses: Addresses) -> Iterator[Running]:
    """Suite, bridge and Envoy, ended within seconds whatever happens."""
    suite = start("serve", "all", environ=os.environ)
    settings = addresses.settings(os.environ)
    bridge = start("serve", "bridge", environ=settings)
    envoy = start("envoy", "run", environ=settings)
    try:
        yield Running(suite, bridge, envoy)
    finally:
        stop(suite, bridge, limit_s=STOP_LIMIT_S)
        stop(envoy, limit_s=LAST_STOP_LIMIT_S)


def wait_until_serving(processes: Running, addresses: Addresses) -> bool:
    """Whether the suite became healthy and Envoy leads to it; false when one ended or took too long."""
    deadline = time.monotonic() + START_LIMIT_S
    with grpc.insecure_channel(addresses.server) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while not processes.ended and time.monotonic() < deadline:
            try:
                answer = health.Check(  # type: ignore[attr-defined]  # the stubs know only the async side
                    health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True
                )
            except grpc.RpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING and leads_somewhere(addresses.http):
                return True
            time.sleep(0.1)
    return False


def leads_somewhere(url: str) -> bool:
    """Whether health is told through Envoy, and through it the health of the services."""
    try:
        with urllib.request.urlopen(f"{url}/v1/events/statistics", timeout=2):  # noqa: S310 - http, our own
            pass
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - http, our own
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def print_addresses(addresses: Addresses) -> None:
    """What a newcomer wants to know next."""
    metrics = os.environ.get("VIDENCE_METRICS__PORT", "9464")
    sample = "examples/samples/passport.jpg"
    print(
        f"""
  Vidence is up.
    pages     {addresses.https}   (its certificate is made here: the browser asks once)
              {addresses.http}
    HTTP      {addresses.http}/v1/…, described by /openapi.json; health: /health
    gRPC      {addresses.server}   (reflection and grpc.health.v1 are on)
    metrics   http://127.0.0.1:{metrics}/metrics

  Try next, in another terminal:
    .venv/bin/vidence extract {sample} --server {addresses.server}
    .venv/bin/vidence extract {sample} --json | head -3
    .venv/bin/grpcurl -plaintext {addresses.server} list
    curl -N -F file=@{sample} {addresses.http}/v1/documents:extract
    curl -N {addresses.http}/v1/events/stream?position=START_POSITION_EARLIEST
""",
        flush=True,
    )


def main() -> int:
    """Runs it; the exit code is that of reading the samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit when the samples are read")
    once = parser.parse_args().once
    addresses = Addresses.of(os.environ)
    samples = [str(ROOT / "examples" / "samples" / name) for name in SAMPLES]
    try:
        with running(addresses) as processes:
            if not wait_until_serving(processes, addresses):
                print("The suite did not start; its own words are above.", file=sys.stderr)
                return 1
            command = [vidence(), "extract", *samples, "--server", addresses.server]
            read = subprocess.run(command, check=False).returncode
            print_addresses(addresses)
            if not once:
                print("  Ctrl-C stops it.", flush=True)
                processes.wait()
                print("One of the processes ended; its own words are above.", file=sys.stderr)
            return read
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        return 0


if __name__ == "__main__":
    # A job that a shell put into the background inherits an ignored SIGINT; both signals mean the same here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
