"""The real suite on PostgreSQL: a purge outlives kill -9 and leaves the other tenant's rows as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.test_purge_tenants import (
    EVERYTHING,
    NOWHERE,
    TENANTS,
    WHO,
    begun_and_killed,
    check_other_tenant,
    client_of,
    fill,
    marks,
)
from e2e_suite import start_suite, stop_suite
from fakes.access import KeyFile
from fakes.erasure import counts, files_with
from fakes.own_database import OwnDatabase
from vidence.erasure.v1 import erasure_pb2 as erasure
from vidence_client.receipts import parse_receipt

pytestmark = [pytest.mark.requirement("R-OP5", "R-OP6"), pytest.mark.timeout(500)]
ACME, GLOBEX = TENANTS


@pytest.fixture
def environ(own_database: OwnDatabase, tmp_path: Path) -> dict[str, str]:
    return {
        "VIDENCE_DATA_DIR": str(tmp_path / "data"),
        "VIDENCE_STORAGE__DATABASE_URL": own_database.url,
        "VIDENCE_ACCESS__MODE": "on",
        "VIDENCE_ACCESS__TENANTS": json.dumps(TENANTS),
        "VIDENCE_ACCESS__KEYS_FILE": str(tmp_path / "keys.json"),
        "VIDENCE_BATCH__WORKERS": "0",
        "VIDENCE_BUS__ADDRESS": NOWHERE,
        **{f"VIDENCE_ERASURE__{name}_ADDRESS": NOWHERE for name in ("CAPTURE", "BATCH", "LIBRARY")},
    }


def test_a_purge_keeps_to_its_tenant_and_outlives_kill_9(
    own_database: OwnDatabase, tmp_path: Path, environ: dict[str, str]
) -> None:
    file, data = KeyFile(tmp_path / "keys.json"), tmp_path / "data"
    keys = {tenant: file.key(tenant, "*") for tenant in TENANTS}
    begun = begun_and_killed(environ, keys[ACME])
    suite = start_suite("all", environ=environ)
    try:
        for tenant, key in keys.items():
            with client_of(suite, key) as client:
                fill(client, tenant, data)
        for mark in (*marks(ACME), *marks(GLOBEX)):
            assert own_database.now.values_with(mark) or files_with(data, mark), mark
        theirs = own_database.now.values_with(*marks(GLOBEX))
        assert theirs
        with client_of(suite, keys[ACME]) as client:
            purged = client.erasure.purge(WHO)
        assert (purged.purge_id, purged.attempt_count) == (begun.purge_id, 2)
        assert purged.state == erasure.PURGE_STATE_COMPLETE
        assert counts(purged) == dict.fromkeys(EVERYTHING, (1, 1, 0))
        receipt = parse_receipt(purged.receipt)
        assert (receipt.whole, receipt.complete, receipt.is_of(ACME, WHO)) == (True, True, True)
        check_other_tenant(suite, keys[GLOBEX], purged)
        assert own_database.now.values_with(*marks(GLOBEX)) == theirs
    finally:
        stop_suite(suite)
    assert own_database.now.values_with(*marks(ACME)) == {}
    assert files_with(data, *marks(ACME)) == []
