"""`vidence smoke` asks everything: a new RPC or a new line of the HTTP table needs a probe."""

from __future__ import annotations

from collections import Counter

import pytest

from vidence_cli.smoke.contract import known_rpcs
from vidence_cli.smoke.probes.http import HTTP_PROBES
from vidence_cli.smoke.probes.table import TOURS
from vidence_server.bridge.contract import Contract, descriptor_bytes
from vidence_server.bridge.path_template import PathTemplate
from vidence_server.bridge.services import ALIASES, SERVICES

TABLE = (
    ("POST", "/v1/libraries"),
    ("POST", "/v1/libraries/{library}/documents/stream"),
    ("GET", "/v1/libraries/{library}/documents/stream"),
    ("POST", "/v1/libraries/{library}/search/stream"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/{cursor}"),
    ("GET", "/v1/events/stream"),
    ("GET", "/v1/events/statistics"),
    ("POST", "/v1/batches:process"),
    ("POST", "/v1/batches:processStream"),
    ("GET", "/v1/sessions/{session}/stream"),
    ("GET", "/health"),
)
"""R-WE2 as it is written."""


@pytest.mark.requirement("R-OP4")
def test_every_rpc_has_one_probe_and_every_probe_an_rpc() -> None:
    probes = Counter(probe.rpc for tour in TOURS.values() for probe in tour.probes)
    assert set(probes) == set(known_rpcs())
    assert set(probes.values()) == {1}


@pytest.mark.requirement("R-OP4")
def test_probes_may_be_absent_just_where_no_door_leads() -> None:
    inside = {service for line in SERVICES for service in line.inside}
    for tour in TOURS.values():
        for probe in tour.probes:
            assert probe.inside == (probe.rpc.partition("/")[0] in inside), probe.rpc


@pytest.mark.requirement("R-OP4", "R-WE2")
def test_every_line_of_the_http_table_and_every_alias_has_a_probe() -> None:
    asked = {(probe.verb, probe.path.partition("?")[0]) for probe in HTTP_PROBES}
    assert set(TABLE) <= asked
    for alias in ALIASES:
        assert any(PathTemplate(alias).match(path) is not None for _, path in asked), alias


@pytest.mark.requirement("R-OP4")
def test_every_path_that_is_asked_means_something() -> None:
    contract = Contract(descriptor_bytes())
    aliases = [PathTemplate(alias) for alias in ALIASES]
    for probe in HTTP_PROBES:
        path = probe.path.partition("?")[0]
        means = contract.match(probe.verb, path) is not None
        assert means or path == "/health" or any(alias.match(path) is not None for alias in aliases), path
