"""How Alembic runs here, and the revisions of what every service's database holds."""
