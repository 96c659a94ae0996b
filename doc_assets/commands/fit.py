"""``doc-assets fit-embedder``, ``fit-words`` and ``fit-probability``."""

from pathlib import Path

from doc_assets.commands.console import console, progress_bars
from doc_assets.embedding.base import make_embedder
from doc_assets.fitting.gist import FitRecipe, fit_gist
from doc_assets.fitting.probability import ProbabilityRecipe, fit_probability
from doc_assets.fitting.words import WordsRecipe, fit_words
from doc_assets.local_features.words import CODEBOOK
from doc_assets.model_folders import resolve_checkpoint
from doc_assets.settings import Settings
from doc_assets.verification.probability import MODEL


def fit_codebook(output_folder: Path, pictures: int) -> None:
    """Fits and writes the codebook, and says how to use it."""
    with progress_bars():
        digest = fit_words(output_folder, WordsRecipe(pictures=pictures))
    path = output_folder / CODEBOOK
    console().print(f"{path} (SHA-256 {digest})")
    console().print(f"Use it with DOC_ASSETS_WORDS_CODEBOOK={path.absolute()}")


def fit_pairs(settings: Settings, output_folder: Path, pictures: int) -> None:
    """Fits and writes the model of photo pairs for the embedder in use."""
    options = resolve_checkpoint(settings.embedder_options, settings.models_dir)
    embedder = make_embedder(settings.embedder, options, device=settings.device, batch_size=settings.embed_batch_size)
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
    console().print(f'Use it with DOC_ASSETS_EMBEDDER_OPTIONS={{"weights": "{path.absolute()}"}}')
