"""``doc-assets fit-embedder``, ``fit-words`` and ``fit-probability``."""

import json
from pathlib import Path

from doc_assets.cli.console import console, progress_bars
from doc_assets.features.words import CODEBOOK
from doc_assets.lab.fit_gist import FitRecipe, fit_gist
from doc_assets.lab.fit_probability import ProbabilityRecipe, fit_probability
from doc_assets.lab.fit_words import WordsRecipe, fit_words
from doc_assets.pipeline.embedder import embedder_in_use, load_embedder
from doc_assets.search.verify.probability import MODEL
from doc_assets.settings import Settings


def fit_codebook(output_folder: Path, pictures: int) -> None:
    """Fits and writes the codebook, and says how to use it."""
    with progress_bars():
        digest = fit_words(output_folder, WordsRecipe(pictures=pictures))
    path = output_folder / CODEBOOK
    console().print(f"{path} (SHA-256 {digest})")
    console().print(f"Use it with DOC_ASSETS_WORDS_CODEBOOK={path.absolute()}")


def fit_pairs(settings: Settings, output_folder: Path, pictures: int) -> None:
    """Fits and writes the model of photo pairs for the embedder in use."""
    how = {"device": settings.device, "batch_size": settings.embed_batch_size}
    embedder = load_embedder(settings, embedder_in_use(settings), **how)
    with progress_bars():
        digest = fit_probability(output_folder, embedder, ProbabilityRecipe(pictures=pictures))
    path = output_folder / MODEL
    console().print(f"{path} (SHA-256 {digest})")
    console().print(f"Use it with DOC_ASSETS_PROBABILITY_MODEL={path.absolute()}")


def fit(output_folder: Path, pictures: int) -> None:
    """Fits and writes the weights, and says how to use them."""
    with progress_bars():
        digest = fit_gist(output_folder, FitRecipe(pictures=pictures))
    path = output_folder / "gist.safetensors"
    console().print(f"{path} (SHA-256 {digest})")
    options = json.dumps({"weights": str(path.absolute())})
    console().print(f"Use it with DOC_ASSETS_EMBEDDER_OPTIONS={options}; in an archive that has photos already, with")
    console().print(f"doc-assets reindex --embedder gist --options '{options}'")
