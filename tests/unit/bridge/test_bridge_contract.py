"""The contract as the bridge sees it: paths, messages, documents."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.openapi import asyncapi, openapi
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import ALIASES, SERVICES, SOCKETS, ServiceLine


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(descriptor_bytes())


@pytest.mark.requirement("R-WE2")
@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/v1/events/{cursor}", "/v1/events/a.b.c", {"cursor": "a.b.c"}),
        ("/v1/events/{cursor}", "/v1/events/a/b", None),
        ("/v1/events/{cursor}", "/v1/events/a%2Fb", {"cursor": "a/b"}),
        ("/v1/libraries/{library_id}:export", "/v1/libraries/x:export", {"library_id": "x"}),
        ("/v1/libraries/{library_id}:export", "/v1/libraries/x", None),
        ("/v1/{name=libraries/*}/documents", "/v1/libraries/7/documents", {"name": "libraries/7"}),
        ("/v1/files/{path=**}", "/v1/files/a/b/c", {"path": "a/b/c"}),
        ("/v1/batches:process", "/v1/batches:process", {}),
        ("/v1/a.b", "/v1/aXb", None),
    ],
)
def test_templates_match_whole_paths_and_decode_their_variables(
    template: str, path: str, expected: dict[str, str] | None
) -> None:
    assert PathTemplate(template).match(path) == expected


@pytest.mark.requirement("R-WE2")
def test_of_several_templates_the_one_that_says_more_is_meant(contract: Contract) -> None:
    names = {
        "/v1/events/stream": "Subscribe",
        "/v1/events/statistics": "GetStatistics",
        "/v1/events/statistics/stream": "WatchStatistics",
        "/v1/events/5bd1e995.00000001.0000000000000001": "GetEvent",
    }
    for path, name in names.items():
        match = contract.match("GET", path)
        assert match is not None
        assert match.rpc.name == name
    assert contract.match("DELETE", "/v1/events/stream") is None
    assert contract.verbs("/v1/events:publish") == ("POST",)


@pytest.mark.requirement("R-WE2")
def test_no_two_calls_have_the_same_place(contract: Contract) -> None:
    places = Counter((binding.verb, binding.template.pattern) for _, binding in contract.bound())
    assert {place: count for place, count in places.items() if count > 1} == {}


@pytest.mark.requirement("R-WE2")
def test_every_variable_and_body_names_a_field(contract: Contract) -> None:
    for rpc, binding in contract.bound():
        fields = rpc.request.DESCRIPTOR.fields_by_name
        assert {name.partition(".")[0] for name in binding.template.variables} <= set(fields), rpc.path
        assert binding.body in {"", "*", *fields}, rpc.path


@pytest.mark.requirement("R-WE1")
def test_each_alias_and_socket_whose_service_is_there_has_a_call(contract: Contract) -> None:
    for meant in ALIASES.values():
        path = PathTemplate(meant).fill({"id": "x"})
        if any(line.name in {"capture", "batch"} for line in contract.lines):
            assert contract.verbs(path), meant
    for meant in SOCKETS.values():
        match = contract.match("GET", PathTemplate(meant).fill({"id": "x"}))
        assert match is None or match.rpc.is_watch


@pytest.mark.requirement("R-WE1")
def test_calls_that_may_carry_foreign_types_are_known(contract: Contract) -> None:
    by_name = {rpc.path: rpc for rpc in contract.rpcs}
    service = "/vidence.event.v1.EventService"
    assert by_name[f"{service}/Subscribe"].has_open_payload
    assert by_name[f"{service}/ListEvents"].has_open_payload
    assert not by_name[f"{service}/WatchStatistics"].has_open_payload
    # Details of errors are Any too, but our own.
    assert not by_name[f"{service}/PublishStream"].has_open_payload


@pytest.mark.requirement("R-WE1")
def test_a_package_without_protos_is_not_there() -> None:
    lines = (*SERVICES, ServiceLine("tea", ("vidence.tea.v1",)))
    assert "tea" not in {line.name for line in Contract(descriptor_bytes(), lines).lines}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref":
                yield member
            else:
                yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


@pytest.mark.requirement("R-DO1")
def test_openapi_has_every_path_and_all_its_references_lead_somewhere(contract: Contract) -> None:
    document = openapi(contract, "1.2.3")
    json.dumps(document)
    for rpc, binding in contract.bound():
        path = re.sub(r"=[^}]+", "", binding.template.text)
        operation = document["paths"][path][binding.verb.lower()]
        assert operation["summary"], rpc.path
        in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert in_path == set(re.findall(r"\{([^}]+)\}", path)), path
    for reference in references(document):
        name = reference.removeprefix("#/components/schemas/")
        assert document["components"]["schemas"][name], reference
    ids = [
        operation["operationId"]
        for path, operations in document["paths"].items()
        if path not in ALIASES
        for operation in operations.values()
    ]
    # A call with two places has one name and two operations.
    assert len(set(ids)) >= len(contract.rpcs) - sum(not rpc.bindings for rpc in contract.rpcs)


@pytest.mark.requirement("R-DO1")
def test_openapi_says_what_the_protos_say(contract: Contract) -> None:
    document = openapi(contract, "1.2.3")
    listing = document["paths"]["/v1/events"]["get"]
    assert listing["summary"].startswith("Lists kept events")
    size = next(each for each in listing["parameters"] if each["name"] == "page_size")
    assert "Events per page" in size["schema"]["description"]
    assert {"filter.types", "filter.attributes"} & {each["name"] for each in listing["parameters"]}
    form = document["paths"]["/v1/documents:extract"]["post"]["requestBody"]["content"]
    assert set(form) == {"application/json", "multipart/form-data"}
    schema = document["components"]["schemas"]["vidence.event.v1.Event"]["properties"]
    assert schema["severity"]["enum"][0] == "SEVERITY_UNSPECIFIED"
    assert schema["attributes"]["additionalProperties"] == {"type": "string"}


@pytest.mark.requirement("R-DO1")
def test_asyncapi_has_the_sockets_of_services_that_are_there(contract: Contract) -> None:
    document = asyncapi(contract, "1.2.3")
    assert document["channels"]["ws_events"]["address"] == "/ws/events"
    for reference in references(document):
        here: Any = document
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]
        assert here
