"""`vidence extract --verify RECORD IMAGE`: whether a provenance record is whole, and reading again agrees."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import click

from vidence_cli.server import ServerChoice, connect
from vidence_client import VidenceError
from vidence_client.provenance import (
    ProvenanceRecord,
    RecordError,
    broken_links,
    differences,
    is_of,
    parse_record,
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of the checks; those after a failed one are not made."""

    chain: bool
    """Every entry is as it was written."""
    image: bool = False
    """The record is of this image."""
    differences: tuple[str, ...] | None = None
    """What reading again gives otherwise; None where it was not read again."""

    @property
    def holds(self) -> bool:
        """Whether the record is whole, of this image, and reproduced."""
        return self.chain and self.image and self.differences == ()


async def verify(
    choice: ServerChoice, record: Path, content: bytes | Path, timeout_s: float | None
) -> Verified:
    """Checks a record, and reads the image again as its request asked.

    Raises:
        RecordError: The file is no record.
        OSError: A file cannot be read.
        VidenceError: The image could not be read again; `ServerUnreachable` where nothing answers.
    """
    recorded = parse_record(await asyncio.to_thread(record.read_text, "utf-8"))
    if broken_links(recorded):
        return Verified(chain=False)
    if not await asyncio.to_thread(is_of, recorded, content):
        return Verified(chain=True)
    again = await _read_again(choice, recorded, content, timeout_s)
    return Verified(chain=True, image=True, differences=tuple(differences(recorded, again)))


async def _read_again(
    choice: ServerChoice, recorded: ProvenanceRecord, content: bytes | Path, timeout_s: float | None
) -> ProvenanceRecord:
    asked = recorded.one("request")
    text = ""
    async with (
        connect(choice) as client,
        client.extraction.extract(
            content,
            document_type=str(asked["document_type"]),
            pdf_page=int(asked["pdf_page"]),
            catalogue=str(asked["catalogue"]),
            profile=str(asked.get("profile", "")),
            record=True,
            timeout=timeout_s,
        ) as stream,
    ):
        async for message in stream:
            if message.HasField("extraction_complete"):
                text = message.extraction_complete.provenance_record
    return parse_record(text)


def verify_and_tell(
    choice: ServerChoice, record: Path, content: bytes | Path, timeout_s: float | None, *, as_json: bool
) -> bool:
    """Verifies, tells what was found, and gives whether the record holds."""
    try:
        found = asyncio.run(verify(choice, record, content, timeout_s))
    except (RecordError, VidenceError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(error.strerror or type(error).__name__) from error
    if as_json:
        click.echo(
            json.dumps(
                {
                    "holds": found.holds,
                    "chain": found.chain,
                    "image": found.image,
                    "differences": None if found.differences is None else list(found.differences),
                },
                ensure_ascii=False,
            )
        )
    else:
        _tell(found)
    return found.holds


def _tell(found: Verified) -> None:
    click.echo(f"{_mark(holds=found.chain)} the record is as it was written")
    if found.chain:
        click.echo(f"{_mark(holds=found.image)} it is of this image")
    if found.differences is not None:
        click.echo(f"{_mark(holds=not found.differences)} reading again gives the same")
        for difference in found.differences:
            click.echo(f"    {difference}")


def _mark(*, holds: bool) -> str:
    return "✓" if holds else "✗"
