"""One story through Envoy: a passport before a camera becomes a document that is found, until its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from e2e.bridge_door import Door, Sse
from e2e.story import Bus, Camera, Story, story_through, watched_session
from e2e.test_capture_models import document_with_portrait
from fakes.capture_models import person_before_a_camera
from vidence_client.receipts import parse_receipt

TENANT = "default"


async def captured(story: Story) -> tuple[Camera, list[Sse]]:
    """The person's device shows a passport, then a face; gives what its page saw."""
    camera = await story.begin()
    page = asyncio.create_task(watched_session(story.client, camera))
    await camera.show(document_with_portrait(), captured=1)
    await camera.show(person_before_a_camera(), captured=2)
    told = await page
    assert (await camera.session())["state"] == "SESSION_STATE_COMPLETED"
    return camera, told


def assert_told_in_order(told: list[Sse]) -> None:
    """The page saw the capture, each field as it was read, and the verdict; then the end."""
    names = [event.event for event in told]
    for earlier, later in (
        ("session_start", "capture_complete"),
        ("capture_complete", "extraction_field"),
        ("extraction_field", "extraction_complete"),
        ("extraction_complete", "session_end"),
        ("verification", "session_end"),
    ):
        assert names.index(earlier) < names.index(later)


async def pictures_of(story: Story, camera: Camera) -> list[str]:
    """Where the pictures of the session are; each of them can be had."""
    taken = (await camera.session())["captured"]
    paths = [f"/v1/images/{one[kind]['id']}" for one in taken for kind in ("image", "crop") if kind in one]
    for path in paths:
        assert "image_complete" in await story.last_line(path)
    return paths


def assert_complete(purge: dict[str, Any], person: str, *, images: int) -> None:
    """All services erased what they had, and the receipt says so."""
    assert purge["state"] == "PURGE_STATE_COMPLETE"
    kinds = [kind for part in purge["services"] for kind in part.get("kinds", [])]
    erased = {kind["kind"]: int(kind["erased_count"]) for kind in kinds}
    assert erased == {"capture_session": 1, "capture_image": images, "document": 1}
    receipt = parse_receipt(purge["receipt"])
    assert receipt.whole
    assert receipt.complete
    assert receipt.is_of(TENANT, person)


async def assert_forgotten(story: Story, session: str, pictures: list[str], document: str) -> None:
    """Neither session nor pictures nor document are there for anybody."""
    for path, reason in ((session, "SESSION_NOT_FOUND"), (document, "DOCUMENT_NOT_FOUND")):
        answer = await story.client.get(f"/v1/{path}")
        assert answer.json()["details"][0]["reason"] == reason
    for path in pictures:
        failed = await story.last_line(path)
        assert "IMAGE_NOT_FOUND" in json.dumps(failed)


def assert_one_chain(bus: Bus, *events: dict[str, Any]) -> None:
    """What happened later comes later; the last two come from services that erase at the same time."""
    order = [event["cursor"] for event in bus.events]
    *before, deleted, purged = (order.index(event["cursor"]) for event in events)
    assert order == sorted(order)
    assert before == sorted(before)
    assert before[-1] < min(deleted, purged)


def assert_nothing_personal(bus: Bus, *values: str) -> None:
    """What was read never reaches the bus, nor whose it is."""
    told = json.dumps(bus.events)
    assert not [value for value in values if len(value) > 6 and value in told]


@pytest.mark.requirement(
    "R-WE1", "R-CA1", "R-CA7", "R-CA8", "R-EX1", "R-LI1", "R-LI2", "R-EV1", "R-ST4", "R-OP5"
)
@pytest.mark.timeout(400)  # starts the whole suite, beside other tests
async def test_a_person_is_captured_verified_kept_found_and_erased(door: Door) -> None:
    async with story_through(door) as story:
        # A passport and the face before it are captured, read and compared, while the page watches.
        camera, told = await captured(story)
        assert_told_in_order(told)
        assert _verdicts(_data(told, "verification"))["portrait_match"] == "CHECK_VERDICT_PASSED"
        fields = _fields(_data(told, "extraction_complete"))
        assert fields["document.number"] == "X4093218K"
        session = f"sessions/{camera.session_id}"
        ended = await story.bus.told("session.completed", session)
        assert ended["data"]["verification"] == "CHECK_VERDICT_PASSED"

        # What was read becomes a document; the bus tells of it, the index finds it.
        document = await story.keep(camera.session_id, " ".join(fields.values()))
        created = await story.bus.told("document.created", document)
        for query in (fields["document.number"], fields["person.surname"]):
            assert await story.found(query) == [camera.session_id]

        # Who asks to be erased is erased everywhere.
        pictures = await pictures_of(story, camera)
        purge = await story.purge()
        assert_complete(purge, story.person, images=len(pictures))
        deleted = await story.bus.told("document.deleted", document)
        purged = await story.bus.told("subject.purged", f"purges/{purge['purge_id']}")
        assert await story.found(fields["document.number"]) == []
        await assert_forgotten(story, session, pictures, document)
        assert_one_chain(story.bus, ended, created, deleted, purged)
        assert_nothing_personal(story.bus, *fields.values(), story.person)


def _data(told: list[Sse], name: str) -> dict[str, Any]:
    data = next(event.data["data"] for event in told if event.event == name)
    assert isinstance(data, dict)
    return data


def _verdicts(verification: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in verification["checks"]}


def _fields(complete: dict[str, Any]) -> dict[str, str]:
    fields = complete["document"]["fields"]
    return {field["key"]: field["value"] for field in fields if field.get("value")}
