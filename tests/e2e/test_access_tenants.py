"""Two tenants on one suite: nothing of one in a stream, list, search, number, log or path of the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor

from e2e.two_tenants import (
    DOCUMENT,
    METHODS,
    NAMES,
    PICTURE,
    SEARCH,
    TEMPLATE,
    Caller,
    Tenants,
    event,
    message_of,
)
from e2e_suite import start_suite, stop_suite
from eventually import eventually
from fakes.access import KeyFile, all_methods
from fakes.runtime import error_info, status_of

SUBJECTS = ("library_id", "session_id", "batch_id", "job_id", "query_id")
"""Fields that name what belongs to a tenant."""
MAKES = {"CreateLibrary"}
"""RPCs whose field names what is to be made: each tenant has names of its own."""
OPTIONAL = {"ProcessBatch", "ReadBatch", "CreateBatch", "UploadBatch"}
"""RPCs that name a library only where results go into one."""
MORE: dict[str, dict[str, Any]] = {
    "AddBatchItem": {"image": PICTURE},
    "RetryItems": {},
    "PushFrame": {"session_token": "x" * 43, "frame": {"encoded": "/9j/4AAQ"}},
    "ConfirmCapture": {"session_token": "x" * 43},
    "PushFrames": {"opening": {"session_token": "x" * 43}},
    "WatchSession": {"session_token": "x" * 43},
    "UpdateLibrary": {"display_name": "mine now"},
    "CreateDocument": {"document": DOCUMENT},
    "UpdateDocument": {"document": DOCUMENT},
    "GetDocument": {"document_id": "d1"},
    "DeleteDocument": {"document_id": "d1"},
    "IngestNdjson": {"content": {"content_type": "application/x-ndjson", "data": "e30K"}},
    "ImportLibrary": {"content": {"content_type": "application/x-ndjson", "data": "e30K"}},
    "SearchDocuments": SEARCH,
    "FindDocuments": SEARCH,
    "OpenQuery": {"search": SEARCH},
    "RefineQuery": {"search": SEARCH},
    "QuerySession": {"opening": {"search": SEARCH}},
    "EnrollFace": {"subject_id": "s1", "template": TEMPLATE},
    "SearchFaces": {"template": TEMPLATE},
    "DeleteSubject": {"subject_id": "s1"},
}
"""What requests need besides, to be well formed."""


LISTS = ("ListLibraries", "ListSessions", "ListBatches", "ListJobs", "ListDeadLetters", "ListEvents")


def subjects_of(method: MethodDescriptor) -> list[tuple[str, str]]:
    """Where a request names what belongs to a tenant: the part of the request, and the field."""
    parts = [("", method.input_type)]
    opening = method.input_type.fields_by_name.get("opening")
    if opening is not None and opening.message_type is not None:
        parts.append(("opening", opening.message_type))
    return [(part, name) for part, kind in parts for name in SUBJECTS if name in kind.fields_by_name]


def about_subjects() -> list[MethodDescriptor]:
    skipped = MAKES | OPTIONAL
    return [method for method in all_methods() if subjects_of(method) and method.name not in skipped]


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("tenants")
    keys = KeyFile(folder / "keys.json")
    made = {tenant: keys.key(tenant, "*") for tenant in NAMES}
    environ = {
        "VIDENCE_DATA_DIR": str(folder / "data"),
        "VIDENCE_ACCESS__MODE": "on",
        "VIDENCE_ACCESS__TENANTS": json.dumps(NAMES),
        "VIDENCE_ACCESS__KEYS_FILE": str(keys.path),
        # Jobs stay where they are.
        "VIDENCE_BATCH__WORKERS": "0",
    }
    live = start_suite("all", environ=environ)
    try:
        opened = Tenants(live, folder, made)
        asyncio.run(opened.make())
        yield opened
    finally:
        stop_suite(live)


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_what_belongs_to_another_tenant_is_not_there(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        globex = Caller(channel, tenants.keys["globex"])
        found, words = {}, {}
        for method in about_subjects():
            members = json.loads(json.dumps(MORE.get(method.name, {})))
            if method.name == "ReembedLibrary":
                members["model_id"] = tenants.model_id
            for part, name in subjects_of(method):
                (members.setdefault(part, {}) if part else members)[name] = tenants.ids[name]
            request = json_format.ParseDict(members, message_of(method.input_type)())
            try:
                await globex.send(method, request, to_its_end=True)
            except grpc.aio.AioRpcError as error:
                found[method.name] = error.code().name
                words[method.name] = error.details() or ""
            else:
                found[method.name] = "OK"
    assert len(found) >= 40
    assert {name: code for name, code in found.items() if code != "NOT_FOUND"} == {}
    assert not [name for name, told in words.items() if "acme" in told]


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_the_owner_finds_what_the_other_tenant_does_not(tenants: Tenants) -> None:
    """So the refusals above are about the tenant."""
    async with tenants.channel() as channel:
        acme = Caller(channel, tenants.keys["acme"])
        for name, subject in (
            ("GetLibrary", "library_id"),
            ("GetSession", "session_id"),
            ("GetBatch", "batch_id"),
            ("GetJob", "job_id"),
            ("WatchQuery", "query_id"),
            ("FindDocuments", "library_id"),
        ):
            answer = await acme.ask(name, **{subject: tenants.ids[subject]}, **MORE.get(name, {}))
            assert answer is not None, name


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_lists_and_numbers_hold_nothing_of_another_tenant(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        globex = Caller(channel, tenants.keys["globex"])
        for name in LISTS:
            answer = json_format.MessageToDict(await globex.ask(name))
            assert not any(isinstance(value, list) for value in answer.values()), (name, answer)
        library = await globex.ask("LibraryService.GetStatistics")
        assert not any(value for _, value in library.ListFields())
        bus = (await globex.ask("EventService.GetStatistics")).statistics
        assert (bus.total_published, bus.pending_events) == (0, 0)
        sessions = await globex.ask("GetStreamStatistics")
        assert (sessions.session_count, sessions.total_events) == (0, 0)
        queue = json.dumps(json_format.MessageToDict(await globex.ask("GetQueueStatistics")))
        assert '"1"' not in queue
        assert await globex.ask("GetQueueStatistics") != await Caller(channel, tenants.keys["acme"]).ask(
            "GetQueueStatistics"
        )


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_a_subscription_gets_the_events_of_its_own_tenant_only(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        umbrella, acme = (Caller(channel, tenants.keys[name]) for name in ("umbrella", "acme"))
        await acme.ask("Publish", events=[event("acme-again")])
        await umbrella.ask("Publish", events=[event("umbrella-event")])
        theirs = await umbrella.ask("Subscribe", position="START_POSITION_EARLIEST")
        assert [one.id for one in theirs.events] == ["umbrella-event"]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            first = await acme.ask("Subscribe", position="START_POSITION_EARLIEST")
            await umbrella.ask("Subscribe", after_cursor=first.cursor)
        assert error_info(status_of(refused.value)).reason == "CURSOR_FOREIGN"


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_an_event_of_another_tenant_is_found_neither_by_its_place_nor_by_its_name(
    tenants: Tenants,
) -> None:
    async with tenants.channel() as channel:
        globex, acme = (Caller(channel, tenants.keys[name]) for name in ("globex", "acme"))
        key = {"source": "test", "id": "acme-event"}
        cursor = (await acme.ask("GetEvent", key=key)).event.cursor
        assert (await acme.ask("GetEvent", cursor=cursor)).event.id == "acme-event"
        for named, reason in (({"key": key}, "EVENT_NOT_FOUND"), ({"cursor": cursor}, "CURSOR_FOREIGN")):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await globex.ask("GetEvent", **named)
            assert error_info(status_of(refused.value)).reason == reason


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_a_session_of_the_bus_and_its_numbers_are_of_one_tenant(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        hooli, acme = (Caller(channel, tenants.keys[name]) for name in ("hooli", "acme"))
        await acme.ask("Publish", events=[event("acme-third")])
        before = await hooli.ask("WatchStatistics")
        assert before.events[0].snapshot.total_published == 0
        await hooli.ask("Publish", events=[event("hooli-event")])
        subscription = {"position": "START_POSITION_EARLIEST"}
        opening = {"subscription": subscription, "initial_credit": 100}
        theirs = await hooli.ask("OpenSession", opening=opening)
        assert [one.id for one in theirs.events] == ["hooli-event"]
        first = await acme.ask("Subscribe", position="START_POSITION_EARLIEST")
        foreign = {"subscription": {"after_cursor": first.cursor}, "initial_credit": 100}
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await hooli.ask("OpenSession", opening=foreign)
        assert error_info(status_of(refused.value)).reason == "CURSOR_FOREIGN"


@pytest.mark.requirement("R-OP5", "R-ST8")
@pytest.mark.parametrize(
    ("name", "of"), [("CreateBatch", {}), ("SubmitJob", {"read_document": PICTURE})], ids=["batch", "job"]
)
async def test_a_repeated_key_of_another_tenant_is_another_request(
    name: str, of: dict[str, Any], tenants: Tenants
) -> None:
    async with tenants.channel() as channel:
        made: list[str] = []
        for caller in (Caller(channel, tenants.keys[tenant]) for tenant in ("acme", "hooli")):
            answers = [await caller.ask(name, idempotency_key="the-same", **of) for _ in range(2)]
            ids = {_id(one) for one in answers}
            assert len(ids) == 1
            made += ids
        assert len(set(made)) == 2


@pytest.mark.requirement("R-OP5", "R-ST8")
@pytest.mark.parametrize("name", sorted(OPTIONAL))
async def test_results_go_into_no_library_of_another_tenant(name: str, tenants: Tenants) -> None:
    named = {"library_id": tenants.ids["library_id"]}
    pictures = {"images": [PICTURE]} if name in {"ReadBatch", "ProcessBatch"} else {}
    members = {"opening": named} if name == "UploadBatch" else named | pictures
    request = json_format.ParseDict(members, message_of(METHODS[name].input_type)())
    async with tenants.channel() as channel:
        globex = Caller(channel, tenants.keys["globex"])
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await globex.send(METHODS[name], request, to_its_end=True)
        assert error_info(status_of(refused.value)).reason == "LIBRARY_NOT_FOUND"


def _id(answer: Any) -> str:
    return str(answer.job.job_id if "job" in answer.DESCRIPTOR.fields_by_name else answer.batch.batch_id)


@pytest.mark.requirement("R-OP5")
async def test_both_tenants_may_use_one_name(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        initech = Caller(channel, tenants.keys["initech"])
        name = tenants.ids["library_id"]
        await initech.ask("CreateLibrary", library_id=name, without_vectors=True)
        found = await initech.ask("FindDocuments", library_id=name, **SEARCH)
        assert not found.hits
        await initech.ask("DeleteLibrary", library_id=name)


@pytest.mark.requirement("R-OP5", "R-ST8")
async def test_log_lines_of_a_tenant_and_paths_name_nothing_of_another(tenants: Tenants) -> None:
    async with tenants.channel() as channel:
        await Caller(channel, tenants.keys["globex"]).ask("ListLibraries")
    await eventually(lambda: any(line.get("tenant") == "globex" for line in tuple(tenants.suite.logs)))
    lines = [json.dumps(line) for line in tuple(tenants.suite.logs)]
    for line in lines:
        assert "secret-words" not in line
        if '"tenant": "globex"' in line:
            assert not any(identifier in line for identifier in tenants.ids.values())
    paths = [str(path.relative_to(tenants.folder)) for path in (tenants.folder / "data").rglob("*")]
    assert not [path for path in paths if any(name in path for name in NAMES)]
