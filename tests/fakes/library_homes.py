"""A library service in any of the databases that tests have."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from fakes.libraries import OpenLibrary, open_library
from fakes.postgres import Home
from vidence_server.storage.location import StateLocation


def opened_at(home: Home, **options: Any) -> AbstractAsyncContextManager[OpenLibrary]:
    location = StateLocation(home.folder)
    if home.server is not None:
        location = OwnSchema(home.folder, str(home.server.url()), schema=home.schema("library"))
    return open_library(home.folder, location=location, **options)


class OwnSchema(StateLocation):
    """PostgreSQL with a schema for this test alone."""

    def __init__(self, folder: Any, url: str, *, schema: str) -> None:
        super().__init__(folder, url=url)
        object.__setattr__(self, "schema", schema)

    def database(self, service: str, *, migrations: Any, guest: bool = False) -> Any:
        from vidence_server.storage.database import Database

        schema: str = getattr(self, "schema")  # noqa: B009 - set past a frozen class
        return Database(self.url, migrations=migrations, schema=schema, grace_s=0.05, guest=guest)
