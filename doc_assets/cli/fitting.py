"""Commands that make the weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import app, command


@app.command(rich_help_panel="Models")
def fit_embedder(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where gist.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=300, help="Pictures drawn to learn from.")] = 2400,
) -> None:
    """Fit the built-in embedder's weights on drawn pictures."""
    from doc_assets.lab.fit_features import GistRecipe, fit_gist

    with command():
        with progress_bars():
            digest = fit_gist(output_folder, GistRecipe(pictures=pictures))
        path = output_folder / "gist.safetensors"
        options = json.dumps({"weights": str(path.absolute())})
        _print_fitted(path, digest)
        out = console()
        out.print(f"Use it with DOC_ASSETS_EMBEDDER_OPTIONS={options}; in an archive that has photos already, with")
        out.print(f"doc-assets reindex --embedder gist --options '{options}'")


@app.command(rich_help_panel="Models")
def fit_words(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where words.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1200,
) -> None:
    """Fit the codebook of visual words on drawn pictures."""
    from doc_assets.features.words import CODEBOOK
    from doc_assets.lab.fit_features import WordsRecipe
    from doc_assets.lab.fit_features import fit_words as fit

    with command():
        with progress_bars():
            digest = fit(output_folder, WordsRecipe(pictures=pictures))
        path = output_folder / CODEBOOK
        _print_fitted(path, digest)
        console().print(f"Use it with DOC_ASSETS_WORDS_CODEBOOK={path.absolute()}")


@app.command(rich_help_panel="Models")
def fit_probability(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where probability.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1000,
) -> None:
    """Fit the probability that a photo pair is the same shot on drawn pictures."""
    from doc_assets.lab.fit_probability import ProbabilityRecipe
    from doc_assets.lab.fit_probability import fit_probability as fit
    from doc_assets.runtime import Runtime
    from doc_assets.search.verify.probability import MODEL

    with command() as settings:
        embedder = Runtime(settings).embedder()
        with progress_bars():
            digest = fit(output_folder, embedder, ProbabilityRecipe(pictures=pictures))
        path = output_folder / MODEL
        _print_fitted(path, digest)
        console().print(f"Use it with DOC_ASSETS_PROBABILITY_MODEL={path.absolute()}")


def _print_fitted(path: Path, digest: str) -> None:
    console().print(f"{path} (SHA-256 {digest})")
