"""`make run`, `make demo` and the commands of the server, as a newcomer types them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite

ROOT = Path(__file__).resolve().parents[2]
VIDENCE = str(Path(sys.executable).with_name("vidence"))


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(taken.getsockname()[1]) for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def start_run(data: Path, *arguments: str) -> subprocess.Popen[str]:
    names = ["SERVER__PORT", "METRICS__PORT", "BRIDGE__PORT"]
    names += ["BRIDGE__ENVOY__PORT", "BRIDGE__ENVOY__TLS_PORT"]
    ports = {f"VIDENCE_{name}": port for name, port in zip(names, free_ports(len(names)), strict=True)}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "run_suite.py"), *arguments],
        env={**os.environ, **ports, "VIDENCE_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VIDENCE, *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.requirement("R-OP1")
def test_the_demo_reads_the_samples_says_where_everything_is_and_ends(tmp_path: Path) -> None:
    with start_run(tmp_path, "--once") as demo:
        output, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, output
    assert '"extraction_complete"' in output
    assert "X4093218K" in output
    assert "Vidence is up." in output
    assert output.count(".venv/bin/") == 3


@pytest.mark.requirement("R-OP1")
def test_ctrl_c_stops_everything_within_five_seconds(tmp_path: Path) -> None:
    with start_run(tmp_path) as process:
        assert process.stdout is not None
        address, told = "", list[str]()
        for line in process.stdout:
            if found := re.search(r"gRPC +(\S+)", line):
                address = found[1]
            if "Ctrl-C stops it" in line:
                break
            told.append(line)
        assert address, "".join(told)
        doors = [address, *re.findall(r"https?://localhost:(\d+)", "".join(told))]
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert time.monotonic() - started < 5
        assert process.returncode == 0
        for door in doors:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(door.rpartition(":")[2])), timeout=5).close()


@pytest.mark.requirement("R-OP1")
def test_a_taken_port_of_envoy_is_told_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("envoy", "run", VIDENCE_BRIDGE__ENVOY__PORT=port, VIDENCE_DATA_DIR=str(tmp_path))
        assert done.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
        assert "VIDENCE_BRIDGE__ENVOY__PORT" in done.stderr
        done = run("serve", "bridge", VIDENCE_BRIDGE__PORT=port, VIDENCE_METRICS__PORT="0")
        assert done.returncode == 2
        assert "VIDENCE_BRIDGE__PORT" in done.stderr


@pytest.mark.requirement("R-OP1")
def test_a_taken_port_is_told_and_nothing_is_left_running(suite: LiveSuite) -> None:
    taken = suite.address.rsplit(":", 1)[1]
    done = run("serve", "all", VIDENCE_SERVER__PORT=taken, VIDENCE_METRICS__PORT="0")
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{taken}" in done.stderr


@pytest.mark.requirement("R-OP2")
def test_a_single_service_runs_as_a_process_of_its_own() -> None:
    suite = start_suite("extraction")
    try:
        done = run("types", "--json", "--server", suite.address)
        assert done.returncode == 0, done.stderr
        assert "passport" in done.stdout
    finally:
        assert stop_suite(suite) == 0


@pytest.mark.requirement("R-OP2", "R-OP3")
def test_settings_are_shown_as_they_are_in_force_and_all_problems_at_once() -> None:
    shown = run("config", "show", VIDENCE_SERVER__PORT="6001")
    assert shown.returncode == 0
    assert "port = 6001" in shown.stdout
    wrong = run("config", "show", VIDENCE_SERVER__PORT="many", VIDENCE_EXTRACTION__PDFDPI="1")
    assert wrong.returncode == 2
    assert "VIDENCE_SERVER__PORT" in wrong.stderr
    assert "VIDENCE_EXTRACTION__PDFDPI" in wrong.stderr


@pytest.mark.requirement("R-OP7")
def test_missing_models_are_told_with_the_way_to_get_them(tmp_path: Path) -> None:
    done = run("serve", "all", VIDENCE_INFERENCE__MODELS_DIR=str(tmp_path), VIDENCE_METRICS__PORT="0")
    assert done.returncode == 1
    assert "vidence models pull" in done.stderr
    assert "Traceback" not in done.stderr
    embedded = run(
        "extract", "--embedded", "examples/samples/page.png", VIDENCE_INFERENCE__MODELS_DIR=str(tmp_path)
    )
    assert embedded.returncode == 1
    assert "vidence models pull" in embedded.stderr
    assert "Traceback" not in embedded.stderr


@pytest.mark.requirement("R-OP3")
def test_a_live_suite_tells_its_build_its_provider_and_its_queues(suite: LiveSuite) -> None:
    metrics = suite.metrics()
    assert any(name == "vidence_build_info" for name, _ in metrics)
    assert ("vidence_engine_model_queued", "ocr-recogniser") in metrics
    assert suite.logged("model_loaded")["provider"] == "CPUExecutionProvider"
    url = str(suite.logged("metrics")["url"])
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - http, from our own log
        assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.requirement("R-OP3")
def test_the_versions_in_use_are_told() -> None:
    done = run("version", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["vidence"]
