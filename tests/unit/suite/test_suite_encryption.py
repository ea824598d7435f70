"""`vidence encryption`, what a start proves, and what `vidence doctor` says of it."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from fakes.key_service import key_file, sealing_with
from fakes.libraries import TENANT, made, open_library
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.encryption.envelope import MAGIC
from vidence_server.encryption.key_file import read_ring
from vidence_server.encryption.sealing import Sealing
from vidence_server.library.app import MIGRATIONS
from vidence_server.library.domain.faces import FaceModel, FaceTemplate
from vidence_server.library.tables import FACES
from vidence_server.runtime.encryption_opening import CHECK_FILE, check_key, make_sealing, rotate_check
from vidence_server.runtime.encryption_settings import EncryptionSettings
from vidence_server.storage.blobs import FolderBlobs
from vidence_server.storage.location import StateLocation
from vidence_server.suite import doctor_checks
from vidence_server.suite.doctor_checks import State
from vidence_server.suite.encryption import encryption
from vidence_server.suite_settings import SuiteSettings, load_suite_settings

pytestmark = pytest.mark.requirement("R-OP5")


def run(*words: object) -> Result:
    return CliRunner().invoke(encryption, [str(word) for word in words])


def settings(folder: Path, **more: object) -> SuiteSettings:
    chosen = {f"VIDENCE_ENCRYPTION__{key.upper()}": str(value) for key, value in more.items()}
    return load_suite_settings(None, {"VIDENCE_DATA_DIR": str(folder), **chosen})


def refusal(sealing: Sealing, folder: Path) -> Reason:
    with pytest.raises(DomainError) as caught:
        check_key(sealing, folder)
    return caught.value.reason


def test_keys_are_made_for_their_owner_and_the_newest_wraps(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "keys.json"
    first = run("new-key", "--file", file)
    assert first.exit_code == 0, first.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second = run("new-key", "--file", file).output.strip()
    assert read_ring(file).active.key_id == second
    third = run("new-key", "--standby", "--file", file).output.strip()
    assert read_ring(file).active.key_id == second
    assert run("activate", "--file", file, third).exit_code == 0
    assert read_ring(file).active.key_id == third
    assert [key.key_id for key in read_ring(file).keys] == [first.output.strip(), second, third]
    for key in read_ring(file).keys:
        assert key.key.hex() not in first.output
    assert run("activate", "--file", file, "kf_none").exit_code == 2
    assert run("new-key").exit_code == 2


def test_status_and_rotate_say_when_encryption_is_off_or_its_keys_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDENCE_DATA_DIR", str(tmp_path))
    assert run("rotate").exit_code == 2
    assert "none, encryption is off" in run("status").output
    monkeypatch.setenv("VIDENCE_ENCRYPTION__MODE", "key_file")
    assert run("status").exit_code == 2
    monkeypatch.setenv("VIDENCE_ENCRYPTION__KEY_FILE", str(tmp_path / "missing.json"))
    missing = run("rotate")
    assert missing.exit_code == 2
    assert "missing.json" in missing.output


def test_a_rotation_of_nothing_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDENCE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VIDENCE_ENCRYPTION__MODE", "key_file")
    monkeypatch.setenv("VIDENCE_ENCRYPTION__KEY_FILE", str(key_file(tmp_path / "keys.json")))
    told = run("rotate", "--json")
    assert told.exit_code == 0, told.output
    places = [json.loads(line) for line in told.output.splitlines()]
    assert {each["place"] for each in places} == {"capture-images", "batch-images", "monitor_images"}
    assert sum(each["rotated"] + each["current"] + each["refused"] for each in places) == 0


async def test_status_names_what_is_damaged_and_counts_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = key_file(tmp_path / "keys.json")
    sealing, clock = sealing_with(keys), SystemClock()
    data = tmp_path / "data"
    async with FolderBlobs(data / "batch-images", clock=clock, ids=IdFactory(clock), form=sealing) as blobs:
        later = clock.now() + timedelta(hours=1)
        names = [(await blobs.put(b"a face", tenant="default", expire_time=later)).id for _ in range(4)]
    async with open_library(data, sealing=sealing) as opened:
        await made(opened, "people")
        for subject in ("anna", "ben"):
            template = FaceTemplate(FaceModel("any", "1"), np.ones(128, "<f4").tobytes())
            await opened.service.faces.enroll(TENANT, "people", subject, f"fac-{subject}", template)
    cut, other = (data / "batch-images" / name for name in names[1:3])
    cut.write_bytes(MAGIC)
    other.write_bytes(MAGIC + b"\x07" + other.read_bytes()[len(MAGIC) + 1 :])
    async with (
        StateLocation(data).database("library", migrations=MIGRATIONS) as database,
        database.transaction() as transaction,
    ):
        damaged = update(FACES).where(FACES.c.face_id == "fac-ben").values(template=MAGIC + b"\x01\xff")
        await transaction.execute(damaged)
    monkeypatch.setenv("VIDENCE_DATA_DIR", str(data))
    monkeypatch.setenv("VIDENCE_ENCRYPTION__MODE", "key_file")
    monkeypatch.setenv("VIDENCE_ENCRYPTION__KEY_FILE", str(keys))
    told = await asyncio.to_thread(run, "status", "--json")
    assert told.exit_code == 1, told.output
    lines = [json.loads(line) for line in told.output.splitlines()]
    counted = {(line["place"], line["count"]) for line in lines if "count" in line}
    assert counted == {("batch-images", 2), ("face templates", 1)}
    named = [line for line in lines if "damaged" in line]
    assert {(line["place"], line["damaged"]) for line in named} == {
        ("batch-images", cut.name),
        ("batch-images", other.name),
        ("face templates", "default/people/fac-ben"),
    }
    assert {line["reason"] for line in named} == {"CIPHERTEXT_INVALID"}
    plainly = await asyncio.to_thread(run, "status")
    assert f"batch-images: {cut.name} cannot be read (CIPHERTEXT_INVALID)" in plainly.output


def test_a_start_proves_that_the_keys_are_those_of_the_data(tmp_path: Path) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"))
    check_key(Sealing(), tmp_path)
    assert not (tmp_path / CHECK_FILE).exists()
    check_key(sealing, tmp_path)
    kept = (tmp_path / CHECK_FILE).read_bytes()
    check_key(sealing, tmp_path)
    assert (tmp_path / CHECK_FILE).read_bytes() == kept
    assert refusal(Sealing(), tmp_path) is Reason.CONFIGURATION_INVALID
    other = sealing_with(key_file(tmp_path / "other.json"))
    assert refusal(other, tmp_path) is Reason.KEY_UNKNOWN
    (tmp_path / CHECK_FILE).write_bytes(kept[:-1])
    assert refusal(sealing, tmp_path) is Reason.CIPHERTEXT_INVALID


def test_what_proves_the_keys_goes_to_the_new_one_too(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    run("new-key", "--file", file)
    sealing = sealing_with(file)
    check_key(sealing, tmp_path)
    old = read_ring(file).active
    run("new-key", "--file", file)
    rotate_check(sealing, tmp_path)
    rotate_check(sealing, tmp_path)
    new = [key for key in read_ring(file).keys if key.key_id != old.key_id]
    check_key(sealing_with(key_file(tmp_path / "only.json", *new)), tmp_path)
    assert refusal(sealing_with(key_file(tmp_path / "old.json", old)), tmp_path) is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("chosen", [{"mode": "key_file"}, {"mode": "command"}])
def test_a_mode_without_what_it_needs_is_refused(chosen: dict[str, str]) -> None:
    with pytest.raises(DomainError) as caught:
        make_sealing(EncryptionSettings.model_validate(chosen), SystemClock())
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_the_doctor_tells_whether_what_is_kept_is_encrypted(tmp_path: Path) -> None:
    def found(folder: Path = tmp_path, **more: object) -> State:
        (one,) = doctor_checks.encryption(settings(folder, **more))
        return one.state

    keys = key_file(tmp_path / "keys.json")
    assert found() is State.OK
    assert found(mode="key_file", key_file=tmp_path / "none.json") is State.FAIL
    assert found(mode="command", command='["/nothing/there"]') is State.FAIL
    assert found(mode="key_file", key_file=keys) is State.WARN
    assert found(mode="key_file", key_file=keys, accept_plain="false") is State.OK
    assert not (tmp_path / CHECK_FILE).exists()
    check_key(sealing_with(key_file(tmp_path / "other.json")), tmp_path)
    assert found(mode="key_file", key_file=keys) is State.FAIL
    assert found() is State.FAIL
    keys.chmod(0o644)
    assert found(mode="key_file", key_file=keys) is State.FAIL
