"""``doc-assets fit-embedder``."""

from pathlib import Path

from doc_assets.commands.console import console, progress_bars
from doc_assets.fitting.gist import FitRecipe, fit_gist


def fit(output_folder: Path, pictures: int) -> None:
    """Fits and writes the weights, and says how to use them."""
    with progress_bars():
        digest = fit_gist(output_folder, FitRecipe(pictures=pictures))
    path = output_folder / "gist.safetensors"
    console().print(f"{path} (SHA-256 {digest})")
    console().print(f'Use it with DOC_ASSETS_EMBEDDER_OPTIONS={{"weights": "{path.absolute()}"}}')
