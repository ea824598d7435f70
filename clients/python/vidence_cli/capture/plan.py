"""The options of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vidence.capture.v1 import session_pb2

F = TypeVar("F", bound=Callable[..., Any])

_TARGETS = {
    "face": session_pb2.TARGET_FACE,
    "front": session_pb2.TARGET_DOCUMENT_FRONT,
    "back": session_pb2.TARGET_DOCUMENT_BACK,
}


def plan_options(command: F) -> F:
    """Adds the options that say what a session is to do."""
    options = (
        click.option(
            "--target",
            "targets",
            type=click.Choice(sorted(_TARGETS)),
            multiple=True,
            default=("face",),
            show_default=True,
            help="What to capture; several in this order.",
        ),
        click.option("--liveness", is_flag=True, help="Look for signs of a photo or screen."),
        click.option(
            "--challenges",
            type=click.IntRange(0, 4),
            default=0,
            show_default=True,
            help="Ask for so many movements.",
        ),
        click.option("--extract", "extraction", is_flag=True, help="Read the document that was captured."),
        click.option("--type", "document_type", metavar="KEY", default="", help="Type of the document."),
        click.option("--verify", "verification", is_flag=True, help="Compare portrait and selfie."),
        click.option("--language", default="en", show_default=True, help="Language of the guidance."),
        click.option("--reference", default="", help="What the session is found by."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_plan(params: dict[str, Any]) -> session_pb2.SessionPlan:
    """The plan that the options say."""
    plan = session_pb2.SessionPlan(
        targets=[_TARGETS[name] for name in dict.fromkeys(params["targets"])],
        verification=params["verification"],
        language=params["language"],
        reference=params["reference"],
    )
    if params["liveness"] or params["challenges"]:
        plan.liveness.passive = params["liveness"]
        plan.liveness.challenge_count = params["challenges"]
    if params["extraction"]:
        plan.extraction.document_type = params["document_type"]
        plan.extraction.SetInParent()
    return plan
