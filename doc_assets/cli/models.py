"""``models add``, ``list`` and ``verify``."""

from dataclasses import asdict
from typing import Annotated

import typer

from doc_assets.cli.shell import FAILED, AsJson, app, command, say

models = typer.Typer(
    no_args_is_help=True, help="Models of the home: add them, list them, compare them with their manifests."
)
app.add_typer(models, name="models", rich_help_panel="Models")


@models.command()
def add(
    source: Annotated[str, typer.Argument(help="A folder with config.json and *.safetensors, or a hub id owner/name.")],
    name: Annotated[
        str | None, typer.Option(help="Of its folder below models/; default: as the source is called.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a model into the home with a manifest of sizes and SHA-256; formats that can run code are refused."""
    from doc_assets.commands.models import add_model, print_added

    with command() as settings:
        added = add_model(settings, source, name, revision)
        say(asdict(added), lambda: print_added(added, settings), as_json=as_json)


@models.command("list")
def list_added(as_json: AsJson = False) -> None:
    """Show the models that were added, and which the settings use."""
    from doc_assets.commands.models import list_models, print_models

    with command() as settings:
        found = list_models(settings)
        say(found, lambda: print_models(settings, found), as_json=as_json)


@models.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; default: all, fitted and built-in ones too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every file of models and compare it with the manifest; exit 1 if one differs."""
    from doc_assets.commands.models import print_verdicts, verify_models

    with command() as settings:
        verdicts = verify_models(settings, names or [])
        say([asdict(verdict) for verdict in verdicts], lambda: print_verdicts(verdicts), as_json=as_json)
        if any(verdict.faults for verdict in verdicts):
            raise typer.Exit(FAILED)
