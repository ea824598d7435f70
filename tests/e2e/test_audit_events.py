"""Audit events between real servers: one that is called, and the bus, which may be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from e2e.bus_process import free_port
from eventually import PATIENCE_S
from fakes.access import KeyFile, bearer, suite_settings
from vidence.access.v1 import audit_events_pb2
from vidence.event.v1 import event_pb2
from vidence.review.v1 import review_service_pb2 as pb
from vidence.review.v1 import review_service_pb2_grpc as pb_grpc
from vidence_client import Client, Credentials, Selection, VidenceError
from vidence_server.suite.opening import Suite, open_suite
from vidence_server.suite_settings import SuiteSettings

TENANTS = ("acme", "globex", "operators")
SUBJECT = "sessions/ses_1"


@dataclass
class House:
    """Two processes' worth of suite: reviews here, the bus there."""

    folder: Path
    keys: KeyFile
    bus_port: int
    readers: dict[str, str]

    def settings(self, name: str, port: int = 0, **access: Any) -> SuiteSettings:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        own = self.folder / "own-key"
        made = suite_settings(
            folder,
            keys_file=self.keys.path,
            tenants=TENANTS,
            own_key_file=own,
            audit_tenant="operators",
            **access,
        ).model_dump()
        made["server"]["port"] = port
        made["bus"]["address"] = f"127.0.0.1:{self.bus_port}"
        return SuiteSettings.model_validate(made)

    @classmethod
    def of(cls, folder: Path) -> House:
        keys = KeyFile(folder / "keys.json")
        (folder / "own-key").write_text(keys.key("*", "events.publish"))
        return cls(folder, keys, free_port(), {tenant: keys.key(tenant, "events.read") for tenant in TENANTS})

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Suite]:
        async with open_suite(self.settings("bus", self.bus_port), ("event",)) as suite:
            await suite.warm_up()
            yield suite

    @asynccontextmanager
    async def reviews(self, **access: Any) -> AsyncIterator[Suite]:
        async with open_suite(self.settings("reviews", **access), ("review",)) as suite:
            await suite.warm_up()
            yield suite

    async def told(self, *, kinds: str = "audit.*", tenant: str = "operators") -> list[event_pb2.Event]:
        """What is on a tenant's bus."""
        key = self.readers[tenant]
        async with Client(f"127.0.0.1:{self.bus_port}", credentials=Credentials(api_key=key)) as client:
            return [event async for event in client.events.list(Selection(types=[kinds]))]


def audited(event: event_pb2.Event) -> audit_events_pb2.CallAudited:
    entry = audit_events_pb2.CallAudited()
    assert event.data.Unpack(entry)
    return entry


async def note(suite: Suite, key: str, text: str = "look at the seal") -> None:
    async with grpc.aio.insecure_channel(suite.server.address) as channel:
        await pb_grpc.ReviewServiceStub(channel).AddNote(
            pb.AddNoteRequest(subject=SUBJECT, reviewer="Ana", note_id=f"n-{abs(hash(text))}", text=text),
            metadata=bearer(key),
            timeout=PATIENCE_S,
        )


async def refused(suite: Suite, key: str) -> str:
    with pytest.raises(VidenceError) as error:
        async with Client(suite.server.address, credentials=Credentials(api_key=key)) as client:
            await client.reviews.delete(SUBJECT)
    return str(error.value.reason)


async def until_told(house: House, count: int) -> list[event_pb2.Event]:
    found: list[event_pb2.Event] = []

    async def look() -> int:
        found[:] = await house.told()
        return len(found)

    async with asyncio.timeout(PATIENCE_S):
        while await look() < count:  # noqa: ASYNC110 - another server's log: nobody tells
            await asyncio.sleep(0.05)
    return found


@pytest.mark.requirement("R-OP5")
async def test_refusals_and_changes_are_told_to_the_operators_and_to_nobody_else(tmp_path: Path) -> None:
    house = House.of(tmp_path)
    may, reads, gone = house.keys.key("acme"), house.keys.key("globex", "review.read"), "vk_0.nothing"
    async with house.bus() as bus, house.reviews() as suite:
        await note(suite, may)
        assert await refused(suite, reads) == "SCOPE_MISSING"
        assert await refused(suite, gone) == "CREDENTIAL_INVALID"
        async with Client(suite.server.address, credentials=Credentials(api_key=reads)) as client:
            assert [one async for one in client.reviews.list()] == []  # reading is not told
        found = await until_told(house, 3)
        kinds = {event.type: audited(event) for event in found}
        assert await house.told(tenant="acme") == []
        assert await house.told(tenant="globex") == []
        # Neither publishing these events nor looking at them is told of in turn.
        assert len(await house.told()) == 3
        assert bus.server.serving
    service = "vidence.review.v1.ReviewService"
    made, denied = kinds["audit.call_made"], kinds["audit.call_denied"]
    assert (made.tenant, made.method, made.outcome) == ("acme", f"{service}/AddNote", "OK")
    assert (denied.tenant, denied.method) == ("", f"{service}/DeleteReview")
    assert denied.outcome == "SCOPE_MISSING"
    assert made.principal.startswith("key_")
    assert denied.principal.startswith("key_")
    assert made.principal != denied.principal
    rejected = kinds["audit.credential_rejected"]
    assert (rejected.principal, rejected.outcome) == ("", "CREDENTIAL_INVALID")
    assert all(entry.request_id.startswith("req_") for entry in kinds.values())
    text = b"".join(event.SerializeToString() for event in found)
    for secret in (b"seal", b"Ana", SUBJECT.encode(), may.partition(".")[2].encode()):
        assert secret not in text


@pytest.mark.requirement("R-OP5", "R-EV6")
async def test_calls_go_on_while_the_bus_is_away_and_it_hears_of_them_later(tmp_path: Path) -> None:
    house = House.of(tmp_path)
    may = house.keys.key("acme")
    async with house.reviews() as suite:
        for number in range(5):
            await note(suite, may, f"note {number} of a bus that is away")
        async with house.bus():
            found = await until_told(house, 5)
        async with house.bus():
            await note(suite, may, "and one after its restart")
            again = await until_told(house, 6)
    assert [audited(event).outcome for event in found] == ["OK"] * 5
    assert len({event.id for event in again}) == len(again) == 6


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize(("audit", "kinds"), [("refused", {"audit.call_denied"}), ("none", set())])
async def test_as_much_is_told_as_is_written_down(audit: str, kinds: set[str], tmp_path: Path) -> None:
    house = House.of(tmp_path)
    may, reads = house.keys.key("acme"), house.keys.key("acme", "review.read")
    async with house.bus():
        async with house.reviews(audit=audit) as suite:
            await note(suite, may)
            assert await refused(suite, reads) == "SCOPE_MISSING"
        # Its end told what waited.
        assert {event.type for event in await house.told()} == kinds
