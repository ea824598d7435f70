"""Encryption at rest where rows are in PostgreSQL: in no column and no file is anything to be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path

import pytest

from fakes.key_service import key_file, random_key, sealing_with
from fakes.own_database import OwnDatabase
from fakes.sealed_house import House, house, run, settings

pytestmark = [pytest.mark.requirement("R-OP5", "R-OP6"), pytest.mark.timeout(500)]
TEMPLATES = "face templates"
TEMPLATE_NAMES = tuple(f"template/{number}" for number in range(3))


async def found(locked: House, own: OwnDatabase) -> set[str]:
    """The secrets of which a file or a value in any table has a part."""
    everything = await own.all_values()
    in_tables = {name for name, some in locked.pieces.items() if any(piece in everything for piece in some)}
    return locked.found() | in_tables


def environ(keys: Path, data: Path, own: OwnDatabase) -> dict[str, str]:
    return settings(keys, data, VIDENCE_STORAGE__DATABASE_URL=own.url)


async def test_no_table_and_no_file_has_an_image_or_a_template_and_all_is_read_back(
    own_database: OwnDatabase, tmp_path: Path
) -> None:
    data, url = tmp_path / "data", own_database.url
    sealing = sealing_with(key_file(tmp_path / "keys.json"), accept_plain=False)
    async with house(data, sealing, url) as locked:
        await locked.fill()
        assert await found(locked, own_database) == set()
        await locked.read_back()
        kept = locked.secrets
        on_disk = await asyncio.to_thread(own_database.tables_on_disk)
        assert not any(piece in on_disk for name in TEMPLATE_NAMES for piece in locked.pieces[name])
    async with house(data, sealing, url) as again:
        again.secrets = kept
        await again.read_back()
        assert await again.library.service.faces.delete_subject("default", "people", "anna") == 1
    numbers = sealing.statistics()
    assert (numbers.refused, numbers.key_failures, numbers.opened_plain) == (0, 0, 0)


async def test_plain_rows_and_files_are_encrypted_beside_running_services_and_keys_are_replaced(
    own_database: OwnDatabase, tmp_path: Path
) -> None:
    data, url = tmp_path / "data", own_database.url
    async with house(data, None, url) as plain:
        await plain.fill()
        kept = plain.secrets
        assert await found(plain, own_database) == set(kept)  # the search finds what is there
    first, second = random_key(), random_key()
    keys = key_file(tmp_path / "keys.json", first)
    async with house(data, sealing_with(keys), url) as now:
        now.secrets = kept
        await check_beside(now, rotated(keys, data, own_database))
        assert await found(now, own_database) == set()
        on_disk = await asyncio.to_thread(own_database.tables_on_disk)
        assert not any(piece in on_disk for name in TEMPLATE_NAMES for piece in now.pieces[name])
        key_file(keys, first, second)
        await check_beside(now, rotated(keys, data, own_database))
        assert await status(keys, data, own_database) == {second.key_id}
        key_file(keys, second)
        await now.read_back()
    async with house(data, sealing_with(keys, accept_plain=False), url) as strict:
        strict.secrets = kept
        await strict.read_back()


async def check_beside(locked: House, work: Coroutine[None, None, None]) -> None:
    """Everything can be read, again and again, while something is done beside the services."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work)
        while not working.done():
            await locked.read_back()
    await locked.read_back()


async def rotated(keys: Path, data: Path, own: OwnDatabase) -> None:
    code, told = await run(environ(keys, data, own), "rotate", "--json")
    assert code == 0, told
    places = {line["place"]: line for line in map(json.loads, told.splitlines())}
    assert (places[TEMPLATES]["rotated"], places[TEMPLATES]["current"]) == (3, 0)
    assert all(place["refused"] == 0 for place in places.values())


async def status(keys: Path, data: Path, own: OwnDatabase) -> set[str]:
    """The keys that something is under."""
    code, told = await run(environ(keys, data, own), "status", "--json")
    assert code == 0, told
    return {json.loads(line)["key_id"] for line in told.splitlines()}
