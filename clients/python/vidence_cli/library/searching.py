"""`vidence library search`: hits as they come."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console
from rich.text import Text

from vidence.library.v1 import library_pb2, search_pb2
from vidence_cli.library.filters import to_filter
from vidence_cli.library.records import for_program, json_option
from vidence_cli.live import plain
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client.library_values import make_search

_MODES = {
    "semantic": search_pb2.SEARCH_MODE_SEMANTIC,
    "lexical": search_pb2.SEARCH_MODE_LEXICAL,
    "hybrid": search_pb2.SEARCH_MODE_HYBRID,
}
_EXCERPT = 100


@click.command()
@click.argument("library_id")
@click.argument("query", required=False, default="")
@click.option("-k", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Hits at most.")
@click.option("--mode", type=click.Choice(list(_MODES)), help="By meaning, by words or by both.")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Only documents with this property: lang=en, year>=1999, draft!=true, author. Repeatable.",
)
@click.option("--min-score", type=float, help="Leave out hits below this score.")
@click.option("--exact", is_flag=True, help="Compare every vector, whatever the library's index is.")
@click.option("--explain", is_flag=True, help="Tell how each score came about.")
@click.option("--text", "with_text", is_flag=True, help="Give the texts of hits; always done for people.")
@json_option
@server_options
@click.pass_context
def search(
    context: click.Context,
    /,
    *,
    library_id: str,
    query: str,
    k: int,
    mode: str | None,
    conditions: tuple[str, ...],
    min_score: float | None,
    exact: bool,
    explain: bool,
    with_text: bool,
    as_json: bool,
    **_: object,
) -> None:
    """Search a library; the best hits come first, and while the last are still read."""
    as_json = for_program(as_json)
    wanted = make_search(
        query,
        k=k,
        mode=_MODES[mode] if mode else search_pb2.SEARCH_MODE_UNSPECIFIED,
        filter=to_filter(conditions),
        minimum_score=min_score,
        exact=exact,
        include_metadata=True,
        include_text=with_text or not as_json,
        explain=explain,
    )
    asyncio.run(_search(chosen_server(context), library_id, wanted, as_json=as_json))


async def _search(choice: ServerChoice, library_id: str, wanted: search_pb2.Search, *, as_json: bool) -> None:
    console = Console()
    async with connect(choice) as client, client.libraries.search(library_id, wanted) as stream:
        async for message in stream:
            if as_json:
                write_line(message)
                continue
            for hit in message.search_hits.hits:
                console.print(_line(hit))
            if message.HasField("search_complete"):
                done = message.search_complete
                seconds = done.total_duration.ToTimedelta().total_seconds()
                console.print(Text(f"{done.hit_count:,} hits in {seconds:.3f} s", style="dim"))


def _line(hit: search_pb2.Hit) -> Text:
    text = " ".join(plain(hit.text).split())
    excerpt = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
    line = Text.assemble(
        (f"{hit.rank:>5}  ", "dim"),
        (f"{hit.score:.4f}  ", "green"),
        (plain(hit.document_id), "bold"),
        f"  {excerpt}",
    )
    for key, value in sorted(hit.metadata.items()):
        line.append(f"  {plain(key)}={_shown(value)}", style="cyan")
    for part in hit.parts:
        line.append(f"\n         {part.ranking}: rank {part.rank}, {part.score:.4f}", style="dim")
    return line


def _shown(value: library_pb2.MetadataValue) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return plain(value.string_value)
        case "number_value":
            return f"{value.number_value:g}"
        case "time_value":
            return value.time_value.ToJsonString()
        case _:
            return str(value.bool_value).lower()
