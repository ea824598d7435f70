"""State in SQL: one database per service, its migrations, and the outbox of its events."""
