"""Which database a service opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.postgres import PostgresProcess
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.location import StateLocation

pytestmark = pytest.mark.requirement("R-OP6")


async def test_a_file_of_its_own_unless_told_otherwise(tmp_path: Path) -> None:
    location = StateLocation(tmp_path)
    async with location.database("extraction", migrations=EXTRACTION_MIGRATIONS) as database:
        assert not database.shared
    assert (tmp_path / "extraction.db").exists()


async def test_one_server_for_all_and_a_choice_for_each(tmp_path: Path, postgres: PostgresProcess) -> None:
    url = postgres.url().render_as_string()
    location = StateLocation(tmp_path, url=url, urls={"capture": ""})
    async with (
        location.database("located", migrations=EXTRACTION_MIGRATIONS) as one,
        location.database("capture", migrations=EXTRACTION_MIGRATIONS) as other,
    ):
        assert one.shared
        assert not other.shared
    only = StateLocation(tmp_path, urls={"located": url})
    async with only.database("located", migrations=EXTRACTION_MIGRATIONS) as one:
        assert one.shared


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://me:SECRET-WORD@host/vidence"
    location = StateLocation(tmp_path, url=url, urls={"batch": url})
    database = location.database("batch", migrations=EXTRACTION_MIGRATIONS)
    assert "SECRET-WORD" not in f"{location} {database!r} {vars(database)} {vars(database._backend)}"
    with pytest.raises(DomainError) as refused:
        StateLocation(tmp_path, url=f"mysql{url}").database("batch", migrations=EXTRACTION_MIGRATIONS)
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
    assert "SECRET-WORD" not in str(refused.value)
