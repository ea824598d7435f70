"""`vidence face`: what the face service tells, for people and for programs."""

from __future__ import annotations

import click

from vidence_cli.face.compare import compare
from vidence_cli.face.detect import detect
from vidence_cli.face.liveness import liveness
from vidence_cli.face.quality import quality
from vidence_cli.face.thresholds import thresholds


@click.group()
def face() -> None:
    """Find, measure and compare faces."""


for _command in (detect, quality, compare, liveness, thresholds):
    face.add_command(_command)
