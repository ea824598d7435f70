"""What a command says when a program reads it: one ProtoJSON object per line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Write = Callable[[Message], None]


def write_line(message: Message, **beside: str) -> None:
    """Writes one message to stdout as one line of UTF-8, names in snake_case.

    Args:
        message: Any message of the suite.
        beside: More members for the object, such as the name of the file.
    """
    write_members({**beside, **MessageToDict(message, preserving_proto_field_name=True)})


def write_members(members: Mapping[str, Any]) -> None:
    """Writes one JSON object to stdout as one line of UTF-8."""
    click.echo(json.dumps(members, ensure_ascii=False).encode(errors="replace"))


class JsonReport:
    """Reports readings as JSON lines; failures that are no message go to stderr.

    Args:
        name_files: Whether each line names its file, as is needed where there are several.
    """

    def __init__(self, *, name_files: bool) -> None:
        self._name_files = name_files

    @contextmanager
    def reading(self, name: str) -> Iterator[Write]:
        """Opens the report of one file; what it yields takes every message of the reading."""
        beside = {"file": name} if self._name_files else {}
        yield lambda message: write_line(message, **beside)

    def failed(self, name: str, why: str) -> None:
        """Reports that a file could not be read."""
        click.echo(f"{name}: {why}", err=True)
