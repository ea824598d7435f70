"""Keys of a service behind a program: a real child process, with all that may be wrong with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fakes.key_service import key_service
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.data_keys import DataKeys
from vidence_server.encryption.key_command import KeyCommand
from vidence_server.encryption.ports import WrappedKey
from vidence_server.encryption.sealing import Sealing
from vidence_server.storage.blob_format import BlobLabel

pytestmark = pytest.mark.requirement("R-OP5")
DATA_KEY = bytes(range(32))
PATIENCE_S = 60.0
LABEL = BlobLabel("acme", "kind", "id")


class TurnedClock(SystemClock):
    """Durations that a test decides."""

    time_s = 0.0

    def monotonic(self) -> float:
        return self.time_s


def refusal(keys: KeyCommand, wrapped: WrappedKey | None = None) -> DomainError:
    with pytest.raises(DomainError) as caught:
        keys.unwrap(wrapped) if wrapped else keys.wrap(DATA_KEY)
    assert "secret" not in str(caught.value.__cause__) + caught.value.message
    return caught.value


def test_the_program_wraps_and_unwraps_also_with_older_keys(tmp_path: Path) -> None:
    keys = KeyCommand(key_service(tmp_path), timeout_s=PATIENCE_S)
    before = keys.wrap(DATA_KEY)
    key_service(tmp_path, "second")
    after = keys.wrap(DATA_KEY)
    assert (before.key_id, after.key_id) == ("first", "second")
    assert keys.unwrap(before) == keys.unwrap(after) == DATA_KEY
    (tmp_path / "first").unlink()
    assert refusal(keys, before).reason is Reason.KEY_UNKNOWN
    assert refusal(keys, WrappedKey("second", before.wrapped)).reason is Reason.CIPHERTEXT_INVALID


@pytest.mark.parametrize("fault", ["exit", "garbage", "unwrapped", "away"])
def test_a_program_that_fails_is_a_key_that_is_away(tmp_path: Path, fault: str) -> None:
    keys = KeyCommand(key_service(tmp_path), timeout_s=PATIENCE_S)
    (tmp_path / "fault").write_text(fault)
    error = refusal(keys)
    assert error.reason is Reason.KEY_UNAVAILABLE
    assert error.retry_after_s


def test_a_program_that_does_not_answer_is_killed(tmp_path: Path) -> None:
    keys = KeyCommand(key_service(tmp_path), timeout_s=0.5)
    (tmp_path / "fault").write_text("silent")
    assert refusal(keys).reason is Reason.KEY_UNAVAILABLE


def test_a_program_that_is_not_there_is_a_key_that_is_away(tmp_path: Path) -> None:
    keys = KeyCommand([str(tmp_path / "nothing")], timeout_s=PATIENCE_S)
    assert refusal(keys).reason is Reason.KEY_UNAVAILABLE


def test_the_program_is_asked_once_for_many_contents_and_again_when_the_key_is_old(tmp_path: Path) -> None:
    clock = TurnedClock()
    command = KeyCommand(key_service(tmp_path), timeout_s=PATIENCE_S)
    sealing = Sealing(DataKeys(command, clock=clock, random=os.urandom, reuse_s=300))
    kept = [sealing.seal(b"content", LABEL, sealing.fresh("acme")) for _ in range(20)]
    assert len(set(kept)) == 20
    assert {sealing.open(each, LABEL) for each in kept} == {b"content"}
    calls = tmp_path / "calls"
    assert calls.read_text().split() == ["wrap", "unwrap"]
    sealing.fresh("other")
    assert calls.read_text().split() == ["wrap", "unwrap", "wrap"]
    clock.time_s = 301
    sealing.seal(b"content", LABEL, sealing.fresh("acme"))
    assert sealing.open(kept[0], LABEL) == b"content"
    assert calls.read_text().split()[3:] == ["wrap", "unwrap"]
    key_service(tmp_path, "second")
    moved = [sealing.resealed(each, LABEL) for each in kept]
    assert {sealing.key_id_of(each) for each in moved} == {"second"}
    assert calls.read_text().split()[5:] == ["wrap"]


def test_a_service_that_is_away_refuses_what_is_to_be_kept_and_says_so(tmp_path: Path) -> None:
    command = KeyCommand(key_service(tmp_path), timeout_s=PATIENCE_S)
    sealing = Sealing(DataKeys(command, clock=SystemClock(), random=os.urandom))
    kept = sealing.seal(b"content", LABEL, sealing.fresh("acme"))
    (tmp_path / "fault").write_text("away")
    with capture_logs() as logs, pytest.raises(DomainError) as caught:
        sealing.open(kept, LABEL)
    assert caught.value.reason is Reason.KEY_UNAVAILABLE
    assert [entry["reason"] for entry in logs] == ["KEY_UNAVAILABLE"]
    with pytest.raises(DomainError):
        sealing.fresh("acme")
    assert sealing.statistics().key_failures == 2
