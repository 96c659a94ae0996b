"""Commands that make the weights."""

from pathlib import Path
from typing import Annotated

import typer

from doc_assets.cli.shell import app, command


@app.command(rich_help_panel="Models")
def fit_embedder(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where gist.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=300, help="Pictures drawn to learn from.")] = 2400,
) -> None:
    """Fit the built-in embedder's weights on drawn pictures."""
    from doc_assets.commands.fit import fit

    with command():
        fit(output_folder, pictures)


@app.command(rich_help_panel="Models")
def fit_words(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where words.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1200,
) -> None:
    """Fit the codebook of visual words on drawn pictures."""
    from doc_assets.commands.fit import fit_codebook

    with command():
        fit_codebook(output_folder, pictures)


@app.command(rich_help_panel="Models")
def fit_probability(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where probability.safetensors is written.")],
    pictures: Annotated[int, typer.Option(min=100, help="Pictures drawn to learn from.")] = 1000,
) -> None:
    """Fit the probability that a photo pair is the same shot on drawn pictures."""
    from doc_assets.commands.fit import fit_pairs

    with command() as settings:
        fit_pairs(settings, output_folder, pictures)
