"""How PostgreSQL is opened: migrated once by whoever comes first, secrets kept, refusals honest."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from fakes.postgres import Home, PostgresProcess
from fakes.storage import EXTRACTION_MIGRATIONS
from vidence_server.core.errors import DomainError, Reason
from vidence_server.storage.connector import Connector, PostgresAddress
from vidence_server.storage.database import Database

pytestmark = pytest.mark.requirement("R-OP6")


def tables(server: PostgresProcess, schema: str) -> set[str]:
    # A name that the test has made.
    statement = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"  # noqa: S608
    return {str(name) for (name,) in server.execute(statement)}


def test_replicas_that_start_at_once_migrate_once(shared_home: Home, postgres: PostgresProcess) -> None:
    async def start() -> None:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            for _ in range(5):
                database = shared_home.database(EXTRACTION_MIGRATIONS)
                tasks.create_task(stack.enter_async_context(database))

    asyncio.run(start())
    found = tables(postgres, shared_home.schema())
    assert {"alembic_version", "outbox", "outbox_refused", "extraction_runs"} <= found


def test_services_on_one_database_do_not_meet(shared_home: Home) -> None:
    async def meet() -> None:
        async with (
            shared_home.database(EXTRACTION_MIGRATIONS, "one") as one,
            shared_home.database(EXTRACTION_MIGRATIONS, "two") as two,
            one.exclusive("work"),
            two.exclusive("work"),
            one.transaction() as first,
            two.transaction() as second,
        ):
            for transaction in (first, second):
                schema = (await transaction.execute(text("SELECT current_schema()"))).scalar_one()
                assert schema in {shared_home.schema("one"), shared_home.schema("two")}

    asyncio.run(meet())


def test_another_programs_migrations_in_public_are_not_taken_for_its_own(
    shared_home: Home, postgres: PostgresProcess
) -> None:
    postgres.execute("CREATE TABLE public.alembic_version (version_num VARCHAR(32))")
    try:
        postgres.execute("INSERT INTO public.alembic_version VALUES ('theirs')")

        async def start() -> None:
            async with shared_home.database(EXTRACTION_MIGRATIONS):
                pass

        asyncio.run(start())
        assert postgres.execute("SELECT * FROM public.alembic_version") == [("theirs",)]
    finally:
        postgres.execute("DROP TABLE public.alembic_version")


def test_a_migration_that_fails_leaves_nothing_behind(
    shared_home: Home, postgres: PostgresProcess, tmp_path: Path
) -> None:
    (tmp_path / "broken_0001.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = 'broken_0001', None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id INTEGER)')\n"
        "    op.execute('CREATE NONSENSE')\n"
    )

    async def start() -> None:
        async with shared_home.database(tmp_path):
            pass

    with pytest.raises(DomainError) as failed:
        asyncio.run(start())
    assert failed.value.reason is Reason.STORAGE_FAILED
    assert tables(postgres, shared_home.schema()) == set()


def test_a_database_of_a_later_version_is_refused(shared_home: Home, postgres: PostgresProcess) -> None:
    async def start() -> None:
        async with shared_home.database(EXTRACTION_MIGRATIONS):
            pass

    asyncio.run(start())
    table = f"{shared_home.schema()}.alembic_version"
    postgres.execute(f"UPDATE {table} SET version_num = 'extraction_0099' WHERE version_num LIKE 'e%'")  # noqa: S608  # the test's own name
    with pytest.raises(DomainError) as refused:
        asyncio.run(start())
    assert refused.value.reason is Reason.DATABASE_INCOMPATIBLE


@pytest.mark.parametrize("schema", ["", "Upper", 'a"; DROP', "1st", "a" * 41])
def test_a_schema_that_is_no_plain_name_is_refused(schema: str) -> None:
    with pytest.raises(DomainError) as refused:
        Database("postgresql+asyncpg://host/vidence", migrations=EXTRACTION_MIGRATIONS, schema=schema)
    assert refused.value.reason is Reason.CONFIGURATION_INVALID


async def test_a_user_or_database_that_is_not_there_is_said_at_once_and_nothing_is_quoted(
    postgres: PostgresProcess,
) -> None:
    for url in (postgres.url("nowhere"), postgres.url(user="nobody")):
        guarded = url.set(password="SECRET-WORD")  # noqa: S106  # no server knows it
        database = Database(guarded, migrations=EXTRACTION_MIGRATIONS)
        with capture_logs() as logs, pytest.raises(DomainError) as refused:
            async with database:
                pass
        assert refused.value.reason is Reason.CONFIGURATION_INVALID
        told = [refused.value, refused.value.__cause__, refused.value.metadata, logs, vars(database)]
        assert "SECRET-WORD" not in str(told)


def _ask_for_password(rules: Path) -> None:
    rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())


async def test_a_password_comes_from_a_file_and_may_change_while_the_service_runs(
    postgres_alone: PostgresProcess, tmp_path: Path
) -> None:
    server = postgres_alone
    connection = await server.connect()
    await connection.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'first'")
    _ask_for_password(Path(await connection.fetchval("SHOW hba_file")))
    await connection.execute("SELECT pg_reload_conf()")
    file = tmp_path / "password"
    file.write_text("wrong\n")

    async def refused() -> DomainError:
        with pytest.raises(DomainError) as caught:
            async with Database(
                server.url(user="guarded"), migrations=EXTRACTION_MIGRATIONS, schema="g", password_file=file
            ):
                pass
        return caught.value

    while (await refused()).metadata.get("sqlstate") != "28P01":  # the rules are read a moment later
        pass
    file.write_text("first\n")
    async with Database(
        server.url(user="guarded"), migrations=EXTRACTION_MIGRATIONS, password_file=file, schema="guarded"
    ) as database:
        await connection.execute("ALTER ROLE guarded PASSWORD 'second'")
        file.write_text("second\n")
        assert await server.cut("guarded") >= 1
        async with database.transaction() as transaction:
            assert (await transaction.execute(text("SELECT current_user"))).scalar_one() == "guarded"
    await connection.close()
    file.unlink()
    assert (await refused()).reason is Reason.CONFIGURATION_INVALID


async def test_opening_waits_for_a_server_that_is_not_there_yet(postgres_alone: PostgresProcess) -> None:
    postgres_alone.stop()
    opening = asyncio.create_task(
        Database(postgres_alone.url(), migrations=EXTRACTION_MIGRATIONS).__aenter__()
    )
    await asyncio.to_thread(postgres_alone.start)
    database = await opening
    assert database.statistics().connected
    await database.__aexit__(None, None, None)


async def test_opening_gives_up_where_no_server_comes(tmp_path: Path) -> None:
    url = make_url(f"postgresql+asyncpg://me@/db?host={tmp_path}")
    with pytest.raises(DomainError) as failed:
        async with Database(url, migrations=EXTRACTION_MIGRATIONS, patience_s=0.05):
            pass
    assert failed.value.reason is Reason.STORAGE_FAILED


async def test_a_server_that_is_away_is_asked_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def refuse(*_arguments: object, **_options: object) -> None:
        nonlocal asked
        asked += 1
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncpg, "connect", refuse)
    address = PostgresAddress(make_url(f"postgresql+asyncpg://me@/db?host={tmp_path}"), "service")
    connector = Connector(address, random=lambda: 1.0)
    waits: list[float] = []
    for number in range(1, 9):
        for _ in range(50):  # as many transactions would
            with pytest.raises(ConnectionRefusedError):
                await connector.connect()
        assert asked == number
        waits.append(round(connector.wait_s, 1))
        connector._closed_until_s = 0.0
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2], abs=0.06)
