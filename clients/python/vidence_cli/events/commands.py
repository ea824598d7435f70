"""`vidence events`: the group of commands about the bus."""

from __future__ import annotations

import click

from vidence_cli.events.lookup import get_one, list_events
from vidence_cli.events.publish import publish
from vidence_cli.events.repair import repair, verify
from vidence_cli.events.statistics import stats
from vidence_cli.events.tail import tail


@click.group()
def events() -> None:
    """Publish, watch and look up the events of the bus."""


for _command in (tail, publish, list_events, get_one, stats, verify, repair):
    events.add_command(_command)
