"""What Alembic runs to migrate: on the connection it was given, in the transaction that is open there."""

from __future__ import annotations

from alembic import context

from vidence_server.storage.migration import CONNECTION, SCHEMA

context.configure(
    connection=context.config.attributes[CONNECTION],
    version_table_schema=context.config.attributes[SCHEMA],  # never another program's table in `public`
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
