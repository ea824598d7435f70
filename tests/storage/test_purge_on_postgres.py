"""Everything of a person goes from PostgreSQL too, and nobody else loses anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.erasure import counts, files_with, left
from fakes.own_database import OwnDatabase
from fakes.people import OTHER, PEOPLE, WHO, House, house
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence_client.receipts import parse_receipt

pytestmark = [pytest.mark.requirement("R-OP5", "R-OP6"), pytest.mark.timeout(300)]
COMPLETE, PARTIAL = erasure.PURGE_STATE_COMPLETE, erasure.PURGE_STATE_PARTIAL
EVERYTHING = {
    "capture_session": 1,
    "capture_image": 2,
    "monitor_image": 1,
    "batch": 1,
    "batch_item": 1,
    "job": 1,
    "face_template": 1,
    "document": 1,
    "review": 2,
    "review_note": 2,
}
WITH_PERSON = {"capture", "batch", "library", "review"}
"""Schemas that hold something of a person before."""


async def everywhere(own: OwnDatabase, folder: Path, *marks: bytes) -> tuple[dict[str, int], list[str]]:
    """Columns and files that have one of these."""
    return dict(await own.places_with(*marks)), files_with(folder, *marks)


async def test_nothing_of_a_person_is_left_in_any_table_or_file_and_others_keep_everything(
    own_database: OwnDatabase, tmp_path: Path
) -> None:
    async with house(tmp_path, own_database.url) as all_of:
        await all_of.fill(WHO)
        await all_of.fill(OTHER)
        await all_of.read_batch(WHO, OTHER)
        await check_that_all_is_found(own_database, tmp_path)
        theirs = await own_database.values_with(*PEOPLE[OTHER].traces)
        purged = await all_of.erasure.purge(WHO, request_id="ticket-7")
        assert (purged.state, left(purged)) == (COMPLETE, {})
        found = EVERYTHING | {"batch_item": 2}
        assert counts(purged) == {kind: (number, number, 0) for kind, number in found.items()}
        assert await everywhere(own_database, tmp_path, *PEOPLE[WHO].traces) == ({}, [])
        await check_that_the_other_is_whole(all_of, own_database, theirs)
        receipt = parse_receipt(purged.receipt)
        assert (receipt.whole, receipt.complete, receipt.is_of("default", WHO)) == (True, True, True)
        assert await all_of.erasure.get(purge_id=purged.purge_id) == purged
        # Templates are not even on pages that are free.
        on_disk = await asyncio.to_thread(own_database.tables_on_disk)
        assert PEOPLE[WHO].template not in on_disk
        assert PEOPLE[OTHER].template in on_disk


async def check_that_all_is_found(own: OwnDatabase, folder: Path) -> None:
    """The search finds each trace, in each schema that has some."""
    everything = await own.all_values()
    for person in PEOPLE.values():
        assert [
            trace for trace in person.traces if not (trace in everything or files_with(folder, trace))
        ] == []
        found = await own.places_with(*person.traces)
        assert {place.partition(".")[0] for place in found} >= WITH_PERSON


async def check_that_the_other_is_whole(all_of: House, own: OwnDatabase, before: object) -> None:
    """Value by value; of the batch of two only the logs of its runs went."""
    after = await own.values_with(*PEOPLE[OTHER].traces)
    gone = [place for place, _ in before - after]  # type: ignore[operator]  # a `Counter`
    assert after - before == {}  # type: ignore[operator]  # as above
    assert set(gone) <= {"batch.service_log_entries.body"}, gone
    counted = await all_of.erasure.purge(OTHER, dry_run=True)
    found = {kind: numbers[0] for kind, numbers in counts(counted).items()}
    assert found == EVERYTHING | {"batch_item": 2}


async def test_a_purge_that_was_interrupted_is_ended_by_whoever_comes_after(
    own_database: OwnDatabase, tmp_path: Path
) -> None:
    async with house(tmp_path, own_database.url) as all_of:
        await all_of.fill(WHO)
        port = await all_of.close_library()
        first = await all_of.erasure.purge(WHO, request_id="ticket-7")
        assert (first.state, left(first)) == (PARTIAL, {"library": "NOT_READY"})
        kept = await own_database.places_with(*PEOPLE[WHO].traces)
        assert {place.partition(".")[0] for place in kept} == {"library", "erasure"}
        await all_of.open_library(port)
        await all_of.replace_office(retry_period_s=0.2)
        purges = [first]
        async with asyncio.timeout(120):
            while purges[-1].state != COMPLETE:  # nobody asks for it: it goes on by itself
                purges.append(await all_of.erasure.get(purge_id=first.purge_id))
        assert counts(purges[-1]) == {kind: (number, number, 0) for kind, number in EVERYTHING.items()}
        assert await everywhere(own_database, tmp_path, *PEOPLE[WHO].traces) == ({}, [])
        assert parse_receipt(purges[-1].receipt).complete
        second = await all_of.erasure.purge(WHO, request_id="ticket-8")
        assert (second.state, counts(second)) == (COMPLETE, {})
