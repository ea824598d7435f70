"""With encryption on, no file of the data folder has anything of an image or a template; else it has."""

from __future__ import annotations

import asyncio
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import select, update

from eventually import eventually
from fakes.key_service import key_file, key_service, random_key, sealing_with
from fakes.libraries import TENANT, open_library
from fakes.runtime import error_info, status_of
from fakes.sealed_house import COMMAND, by_command, house, jpeg_of, run, settings, template_of
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.envelope import MAGIC
from vidence_server.encryption.sealing import Sealing
from vidence_server.library import app as library_app
from vidence_server.library.tables import FACES
from vidence_server.storage.location import StateLocation
from vidence_server.suite.rotation import count_all

pytestmark = [pytest.mark.requirement("R-OP5"), pytest.mark.timeout(500)]


async def test_without_encryption_everything_is_found_in_the_files(tmp_path: Path) -> None:
    async with house(tmp_path / "data", None) as plain:
        await plain.fill()
        assert len(plain.secrets) == 8
        assert plain.found() == set(plain.secrets)
        await plain.read_back()


async def test_with_encryption_no_file_has_an_image_or_a_template_and_all_is_read_back(
    tmp_path: Path,
) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"), accept_plain=False)
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
        assert locked.found() == set()  # while the services run: in the log of SQLite too
        await locked.read_back()
        kept = locked.secrets
    async with house(tmp_path / "data", sealing) as again:
        again.secrets = kept
        assert again.found() == set()
        await again.read_back()
        assert await again.library.service.faces.delete_subject(TENANT, "people", "anna") == 1
    numbers = sealing.statistics()
    assert numbers.sealed >= len(kept)
    assert (numbers.refused, numbers.key_failures, numbers.opened_plain) == (0, 0, 0)


async def test_what_was_plain_stays_readable_and_is_encrypted_beside_the_running_services(
    tmp_path: Path,
) -> None:
    data, keys = tmp_path / "data", key_file(tmp_path / "keys.json")
    async with house(data, None) as before:
        await before.fill()
        kept = before.secrets
    async with house(data, sealing_with(keys)) as now:
        now.secrets = kept
        await now.read_back()
        assert now.found() == set(kept)
        code, told = await run(settings(keys, data), "rotate")
        assert code == 0, told
        assert "face templates: 3 rotated, 0 were current, 0 gone, 0 refused" in told
        await eventually(lambda: now.found() == set())
        await now.read_back()
    async with house(data, sealing_with(keys, accept_plain=False)) as strict:
        strict.secrets = kept
        await strict.read_back()


async def test_a_new_key_takes_over_and_the_old_one_may_go(tmp_path: Path) -> None:
    data, old = tmp_path / "data", random_key()
    keys = key_file(tmp_path / "keys.json", old)
    async with house(data, sealing_with(keys)) as locked:
        await locked.fill()
        new = random_key()
        key_file(keys, old, new)
        await locked.read_back()  # the same services: they have read the file again
        later = jpeg_of(8)
        expire_time = SystemClock().now() + timedelta(hours=1)
        blob = await locked.snapshots.put(later, tenant=TENANT, expire_time=expire_time)
        locked.secrets[f"capture/snapshot/1/{blob.id.replace('blb_', 'img_')}"] = later
        code, told = await run(settings(keys, data), "rotate", "--json")
        assert code == 0, told
        key_file(keys, new)
        await locked.read_back()
        assert locked.found() == set()


@pytest.mark.parametrize("calls", [9, 18], ids=["among the images", "among the templates"])
async def test_a_rotation_that_was_killed_is_taken_up_again(tmp_path: Path, calls: int) -> None:
    data, service = tmp_path / "data", key_service(tmp_path / "service")
    environ = by_command(tmp_path / "none", data, service)
    async with house(data, None) as plain:
        await plain.fill()
        kept = plain.secrets
        (tmp_path / "service" / "fault").write_text(f"silent after {calls}")
        process = await asyncio.to_thread(
            subprocess.Popen, [*COMMAND, "rotate"], env=environ, start_new_session=True
        )
        try:
            await eventually((tmp_path / "service" / "stuck").exists, within_s=200)
        finally:
            os.killpg(process.pid, 9)  # the program that it asks is of its group
            await asyncio.to_thread(process.wait)
        assert plain.found()  # something was left to do
        sealed = [path for path in data.rglob("blb_*") if path.read_bytes().startswith(MAGIC)]
        assert sealed
        (tmp_path / "service" / "fault").unlink()
        code, told = await run(environ, "rotate")
        assert code == 0, told
        await eventually(lambda: plain.found() == set())
        counts = await count_all(StateLocation(data), Sealing(), ["default"])
        assert {key_id for found in counts.values() for key_id in found.by_key} == {"first"}
        assert counts["face templates"].by_key == {"first": 3}
    assert not list(data.rglob("*.part"))
    assert kept


async def test_an_image_that_was_changed_cut_off_or_exchanged_is_not_given_out(tmp_path: Path) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"))
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
        batch_id = next(name.split("/")[1] for name in locked.secrets if name.startswith("batch/"))
        large, small = sorted(
            (locked.folder / "batch-images").iterdir(), key=lambda path: path.stat().st_size, reverse=True
        )
        whole, times = large.read_bytes(), large.stat()

        async def reason_after(change: bytes) -> str:
            large.write_bytes(change)
            os.utime(large, (times.st_mtime, times.st_mtime))  # when it expires
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await locked.item(batch_id, 0)
            return str(error_info(status_of(caught.value)).reason)

        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        assert await reason_after(flipped) == "CIPHERTEXT_INVALID"
        assert await reason_after(whole[:-1]) == "CIPHERTEXT_INVALID"
        assert await reason_after(small.read_bytes()) == "CIPHERTEXT_INVALID"
        assert sealing.statistics().refused == 3
        large.write_bytes(whole)
        os.utime(large, (times.st_mtime, times.st_mtime))
        await locked.read_back()


async def test_templates_that_were_exchanged_find_nobody(tmp_path: Path) -> None:
    sealing = sealing_with(key_file(tmp_path / "keys.json"))
    async with house(tmp_path / "data", sealing) as locked:
        await locked.fill()
    location = StateLocation(tmp_path / "data")
    async with location.database("library", migrations=library_app.MIGRATIONS) as database:
        async with database.snapshot() as snapshot:
            rows = (await snapshot.execute(select(FACES.c.no, FACES.c.template).order_by(FACES.c.no))).all()
        async with database.transaction() as transaction:
            for row, other in ((rows[0], rows[1]), (rows[1], rows[0])):
                await transaction.execute(update(FACES).where(FACES.c.no == row[0]).values(template=other[1]))
    async with open_library(tmp_path / "data", sealing=sealing) as opened:
        with pytest.raises(DomainError) as caught:
            await opened.service.faces.search(TENANT, "people", template_of(2), k=1, minimum_score=None)
        assert caught.value.reason is Reason.CIPHERTEXT_INVALID
        for subject in ("anna", "ben"):
            assert await opened.service.faces.delete_subject(TENANT, "people", subject) == 1
        found = await opened.service.faces.search(TENANT, "people", template_of(2), k=1, minimum_score=None)
        assert [hit.subject_id for hit in found.hits] == ["carl"]
