"""`vidence models`: what the registry knows, what the store has, and bringing the two together."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.download import ClientDownloader
from vidence_server.inference.pull import PullState, pull
from vidence_server.inference.registry import ModelOverride, ModelRegistry, ModelSpec, load_registry
from vidence_server.inference.store import ModelStore, default_folder

_CACHE_DIR = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder of the model files.  [default: {default_folder()}]",
)
_OVERRIDE = click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="NAME=PLACE#sha256=HEX",
    help="A file of your own in the place of a registered model; PLACE is a path or an http(s) URL.",
)
_NAMES = click.argument("names", nargs=-1, metavar="[NAME]…")


@click.group()
def models() -> None:
    """Lists, downloads and checks the models that the services run."""


@models.command("list")
@_CACHE_DIR
@click.option("--json", "as_json", is_flag=True, help="One JSON object per model and line.")
def list_models(cache_dir: Path | None, as_json: bool) -> None:
    """Shows every model, its source, and whether it is in the store."""
    store = _store(cache_dir)
    for spec in load_registry():
        state = _state(spec, store)
        if as_json:
            click.echo(json.dumps(_as_data(spec, store, state)))
        else:
            size = f"{(spec.size_bytes or 0) / 1e6:.1f} MB"
            click.echo(
                f"{spec.name:<16} {state:<8} {size:>9}  {spec.licence.spdx:<12} {spec.title} ({spec.source})"
            )


@models.command("pull")
@_NAMES
@_OVERRIDE
@_CACHE_DIR
@click.pass_context
def pull_models(
    context: click.Context, names: tuple[str, ...], overrides: tuple[str, ...], cache_dir: Path | None
) -> None:
    """Downloads models, all of them unless named, and checks them; those already there stay."""
    store = _store(cache_dir)
    failed = False
    for result in pull(_chosen(_registry(overrides), names), store, ClientDownloader()):
        failed |= result.state is PullState.FAILED
        click.echo(f"{result.spec.name:<16} {result.state}")
        if result.error is not None:
            click.echo(f"  {result.error.message}", err=True)
    context.exit(1 if failed else 0)


@models.command("verify")
@_NAMES
@_OVERRIDE
@_CACHE_DIR
@click.pass_context
def verify_models(
    context: click.Context, names: tuple[str, ...], overrides: tuple[str, ...], cache_dir: Path | None
) -> None:
    """Checks that models, all of them unless named, are in the store with the right hash."""
    store = _store(cache_dir)
    failed = False
    for spec in _chosen(_registry(overrides), names):
        try:
            store.path(spec)
        except DomainError as error:
            failed = True
            click.echo(f"{spec.name:<16} {_word(error)}")
            click.echo(f"  {error.message}", err=True)
        else:
            click.echo(f"{spec.name:<16} right")
    context.exit(1 if failed else 0)


@models.command("licences")
def show_licences() -> None:
    """Shows under which licence each model comes, and who says so."""
    for spec in load_registry():
        click.echo(f"{spec.name:<16} {spec.licence.spdx:<12} {spec.licence.origin}")


def _store(cache_dir: Path | None) -> ModelStore:
    return ModelStore(cache_dir or default_folder())


def _registry(overrides: tuple[str, ...]) -> ModelRegistry:
    try:
        parsed = {
            name: ModelOverride.parse(rest) for name, _, rest in (text.partition("=") for text in overrides)
        }
        return load_registry().with_overrides(parsed)
    except DomainError as error:
        raise click.UsageError(error.message) from error


def _chosen(registry: ModelRegistry, names: tuple[str, ...]) -> list[ModelSpec]:
    try:
        return [registry[name] for name in dict.fromkeys(names)] if names else list(registry)
    except DomainError as error:
        raise click.UsageError(error.message) from error


def _state(spec: ModelSpec, store: ModelStore) -> str:
    try:
        store.path(spec)
    except DomainError as error:
        return _word(error)
    return "present"


def _word(error: DomainError) -> str:
    return "missing" if error.reason is Reason.MODEL_MISSING else "corrupt"


def _as_data(spec: ModelSpec, store: ModelStore, state: str) -> dict[str, object]:
    return {
        "name": spec.name,
        "title": spec.title,
        "state": state,
        "source": str(spec.source),
        "path": str(store.place(spec)),
        "sha256": spec.sha256,
        "size_bytes": spec.size_bytes,
        "licence": spec.licence.spdx,
        "licence_origin": spec.licence.origin,
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        "preprocessing": spec.preprocessing,
        "max_batch": spec.max_batch,
    }
