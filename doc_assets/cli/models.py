"""Commands on models: those of the home, and the weights that are fitted on drawn pictures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_table
from doc_assets.cli.shell import FAILED, AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.features.model_folders import AddedModel, Model
    from doc_assets.ops.doctor.models import ComparedModel
    from doc_assets.settings import Settings

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
    with command() as settings:
        from doc_assets.features.model_folders import add_model

        added = add_model(settings.models_dir, source, name, revision)
        say(added, lambda: _print_added(added, settings), as_json=as_json)


@models.command("list")
def list_added(as_json: AsJson = False) -> None:
    """Show the models that were added, and which the settings use."""
    with command() as settings:
        from doc_assets.features.model_folders import model_names, read_manifest

        folder, users = settings.models_dir, _users(settings)
        added = [read_manifest(folder / name) for name in model_names(folder)]
        found = [(model, [what for what, used in users.items() if used == folder / model.name]) for model in added]
        data = [_as_data(model, used_by) for model, used_by in found]
        say(data, lambda: _print_models(settings, found), as_json=as_json)


@models.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; default: all, fitted and built-in ones too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every file of models and compare it with the manifest; exit 1 if one differs."""
    with command() as settings:
        from doc_assets.ops.doctor.models import compare_models

        compared = compare_models(settings.models_dir, names or [])
        say(compared, lambda: _print_compared(compared), as_json=as_json)
        if any(model.faults for model in compared):
            raise typer.Exit(FAILED)


def _print_added(added: "AddedModel", settings: "Settings") -> None:
    out, model = console(), added.model
    what = "added" if added.is_new else "is there already, with the same files"
    out.print(f"{model.name} {what}: {len(model.files)} files, {model.size_bytes:,} bytes, from {model.source}")
    if added.left_out:
        out.print(f"Left out: {', '.join(added.left_out)}")
    out.print(f"In {settings.models_dir / model.name}. Use it with")
    out.print("  DOC_ASSETS_EMBEDDER=transformers")
    out.print(f'  DOC_ASSETS_EMBEDDER_OPTIONS={{"checkpoint": "{model.name}"}}')


def _users(settings: "Settings") -> dict[str, Path]:
    """What uses a model's folder, and which."""
    from doc_assets.features.model_folders import resolve_checkpoint
    from doc_assets.runtime import embedder_in_use

    options = {"embedder": embedder_in_use(settings).options, "photo extractor": settings.photo_extractor_options}
    resolved = {what: resolve_checkpoint(given, settings.models_dir) for what, given in options.items()}
    return {what: Path(str(given["checkpoint"])) for what, given in resolved.items() if "checkpoint" in given}


def _as_data(model: "Model", used_by: list[str]) -> dict[str, object]:
    return {
        "name": model.name,
        "source": model.source,
        "added_at": model.added_at,
        "size_bytes": model.size_bytes,
        "files": model.files,
        "used_by": used_by,
    }


def _print_models(settings: "Settings", models: list[tuple["Model", list[str]]]) -> None:
    if not models:
        console().print(f"No model was added to {settings.models_dir}; the built-in ones need none.")
        return
    rows = (
        (model.name, f"{model.size_bytes:,}", len(model.files), model.source, model.added_at, ", ".join(used_by))
        for model, used_by in models
    )
    show_table(("model", "bytes", "files", "source", "added", "used by"), rows)


def _print_compared(models: list["ComparedModel"]) -> None:
    for model in models:
        console().print(f"{'DIFFERS' if model.faults else 'agrees '} {model.name}")
        for fault in model.faults:
            console().print(f"  {fault}")


@app.command(rich_help_panel="Models")
def fit_embedder(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where gist.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=300, help="Pictures drawn to learn from.")] = 2400,
) -> None:
    """Fit the built-in embedder's weights on drawn pictures."""
    with command():
        from doc_assets.lab.fit_features import GistRecipe, fit_gist

        with progress_bars():
            digest = fit_gist(output_folder, GistRecipe(pictures=pictures))
        path = output_folder / "gist.safetensors"
        options = json.dumps({"weights": str(path.absolute())})
        out = console()
        out.print(f"{path} (SHA-256 {digest})")
        out.print(f"Use it with DOC_ASSETS_EMBEDDER_OPTIONS={options}; in an archive that has photos already, with")
        out.print(f"doc-assets reindex --embedder gist --options '{options}'")


@app.command(rich_help_panel="Models")
def fit_words(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where words.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1200,
) -> None:
    """Fit the codebook of visual words on drawn pictures."""
    with command():
        from doc_assets.features.words import CODEBOOK
        from doc_assets.lab.fit_features import WordsRecipe
        from doc_assets.lab.fit_features import fit_words as fit

        with progress_bars():
            digest = fit(output_folder, WordsRecipe(pictures=pictures))
        path = output_folder / CODEBOOK
        console().print(f"{path} (SHA-256 {digest})\nUse it with DOC_ASSETS_WORDS_CODEBOOK={path.absolute()}")


@app.command(rich_help_panel="Models")
def fit_probability(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where probability.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1000,
) -> None:
    """Fit the probability that a photo pair is the same shot on drawn pictures."""
    with command() as settings:
        from doc_assets.lab.fit_probability import ProbabilityRecipe
        from doc_assets.lab.fit_probability import fit_probability as fit
        from doc_assets.runtime import Runtime
        from doc_assets.search.verify.probability import MODEL

        embedder = Runtime(settings).embedder()
        with progress_bars():
            digest = fit(output_folder, embedder, ProbabilityRecipe(pictures=pictures))
        path = output_folder / MODEL
        console().print(f"{path} (SHA-256 {digest})\nUse it with DOC_ASSETS_PROBABILITY_MODEL={path.absolute()}")
