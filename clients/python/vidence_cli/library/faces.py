"""`vidence library faces`: enrol, find, list, delete."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from google.protobuf import json_format

from vidence.library.v1 import face_pb2
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options


@click.group()
def faces() -> None:
    """Enrol faces, find whose face it is, delete subjects. FACE is a picture, or a template as JSON."""


_FACE = click.argument("face", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@faces.command()
@click.argument("library_id")
@click.argument("subject_id")
@_FACE
@click.option("--id", "face_id", default="", help="Names the template, so that a repetition does no harm.")
@server_options
@click.pass_context
def enroll(
    context: click.Context,
    /,
    *,
    library_id: str,
    subject_id: str,
    face: Path,
    face_id: str,
    **_: object,
) -> None:
    """Keep a face of a subject."""

    async def work(choice: ServerChoice) -> None:
        async with connect(choice) as client:
            write_line(
                await client.libraries.faces.enroll(library_id, subject_id, _face_of(face), face_id=face_id)
            )

    asyncio.run(work(chosen_server(context)))


@faces.command()
@click.argument("library_id")
@_FACE
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Subjects at most.")
@click.option("--min-score", type=float, help="Leave out subjects below this score.")
@server_options
@click.pass_context
def search(
    context: click.Context,
    /,
    *,
    library_id: str,
    face: Path,
    k: int,
    min_score: float | None,
    **_: object,
) -> None:
    """Find whose face this is."""

    async def work(choice: ServerChoice) -> None:
        async with connect(choice) as client:
            found = await client.libraries.faces.search(
                library_id, _face_of(face), k=k, minimum_score=min_score
            )
            write_line(found)

    asyncio.run(work(chosen_server(context)))


@faces.command("list")
@click.argument("library_id")
@click.option("--subject", "subject_id", default="", help="Only of this subject.")
@server_options
@click.pass_context
def list_faces(context: click.Context, /, *, library_id: str, subject_id: str, **_: object) -> None:
    """List the faces that are kept, without their templates."""

    async def work(choice: ServerChoice) -> None:
        async with connect(choice) as client:
            async for face in client.libraries.faces.list(library_id, subject_id=subject_id):
                write_line(face)

    asyncio.run(work(chosen_server(context)))


@faces.command("delete")
@click.argument("library_id")
@click.argument("subject_id")
@server_options
@click.pass_context
def delete_subject(context: click.Context, /, *, library_id: str, subject_id: str, **_: object) -> None:
    """Delete all templates of a subject; none is left in the server's database files."""

    async def work(choice: ServerChoice) -> int:
        async with connect(choice) as client:
            return await client.libraries.faces.delete_subject(library_id, subject_id)

    click.echo(json.dumps({"face_count": str(asyncio.run(work(chosen_server(context))))}))


def _face_of(path: Path) -> face_pb2.FaceTemplate | bytes:
    """A template where the file is one, else the picture as it is.

    Raises:
        click.UsageError: A JSON file is no template.
    """
    content = path.read_bytes()
    if path.suffix.lower() != ".json":
        return content
    try:
        return json_format.Parse(content, face_pb2.FaceTemplate())
    except json_format.ParseError as error:
        raise click.UsageError(f"{path} is no face template: {error}") from error
