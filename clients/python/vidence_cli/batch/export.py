"""`vidence batch export`: what a batch read, in formats that other programs take.

A format is a function of items and a line in `EXPORTS`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import click
from google.protobuf.json_format import MessageToDict

from vidence.batch.v1 import batch_pb2
from vidence.extraction.v1 import document_pb2
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client.decklists import arena_text
from vidence_client.errors import VidenceError

CSV_HEADER = (
    "index",
    "file_name",
    "state",
    "reason",
    "document_type",
    "key",
    "field_index",
    "value",
    "raw_value",
    "confidence",
    "verdict",
)
"""Columns of `as_csv`."""

Items = Iterable[batch_pb2.BatchItem]


def as_jsonl(items: Items) -> Iterator[str]:
    """One ProtoJSON object per item."""
    for item in items:
        members = MessageToDict(item, preserving_proto_field_name=True)
        # An index of 0 is not left out: it is the item's name.
        yield json.dumps({"index": item.index, **members}, ensure_ascii=False) + "\n"


def as_csv(items: Items) -> Iterator[str]:
    """One row per field, and one for an item without any; every row names its item."""
    yield _row(CSV_HEADER)
    for item in items:
        start = (item.index, item.file_name, _state(item), _reason(item), item.document.document_type)
        for field in item.document.fields:
            yield _row((*start, *_field(field)))
        if not item.document.fields:
            yield _row((*start, "", "", "", "", "", ""))


def as_arena(items: Items) -> Iterator[str]:
    """Decklists as Arena imports them, named by their files; items that are none are left out."""
    for item in items:
        deck = arena_text(item.document)
        if deck:
            name = Path(item.file_name).stem or f"Deck {item.index}"
            yield f"About\nName {name}\n\n{deck}\n"


EXPORTS: Mapping[str, Callable[[Items], Iterator[str]]] = {
    "jsonl": as_jsonl,
    "csv": as_csv,
    "arena": as_arena,
}
"""Formats by name."""


@click.command()
@click.argument("batch_id")
@click.option(
    "--format",
    "name",
    type=click.Choice(list(EXPORTS)),
    default="jsonl",
    show_default=True,
    help="jsonl: one object per image; csv: one row per field; arena: decklists.",
)
@click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="Where to write."
)
@server_options
@click.pass_context
def export(context: click.Context, /, *, batch_id: str, name: str, output: TextIO, **_: object) -> None:
    """Write what a batch read."""
    items = asyncio.run(_items(chosen_server(context), batch_id))
    output.writelines(EXPORTS[name](items))


async def _items(choice: ServerChoice, batch_id: str) -> list[batch_pb2.BatchItem]:
    async with connect(choice) as client:
        return [item async for item in client.batches.items(batch_id)]


def _row(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _state(item: batch_pb2.BatchItem) -> str:
    return batch_pb2.ItemState.Name(item.state).removeprefix("ITEM_STATE_").lower()


def _reason(item: batch_pb2.BatchItem) -> str:
    return VidenceError.from_status(item.error).reason if item.HasField("error") else ""


def _field(field: document_pb2.ExtractedField) -> tuple[object, ...]:
    verdict = document_pb2.ValidationVerdict.Name(field.validation.verdict)
    return (
        field.key,
        field.index,
        field.value,
        field.raw_value,
        f"{field.confidence:.3f}",
        verdict.removeprefix("VALIDATION_VERDICT_").lower(),
    )
