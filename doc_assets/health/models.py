"""Weights of everything learnt that is in use."""

from collections.abc import Callable
from pathlib import Path

from doc_assets.documents.page_text.base import make_engine
from doc_assets.embedding.base import make_embedder
from doc_assets.errors import MissingModelError, SetupError
from doc_assets.health.check import Check, Finding, green, red
from doc_assets.local_features.words import VisualWords
from doc_assets.model_folders import differences, model_names, resolve_checkpoint
from doc_assets.photos.base import make_extractor
from doc_assets.settings import Settings
from doc_assets.verification.probability import PairModel


def model_checks(settings: Settings) -> list[Check]:
    """Checks of the weights that the settings name; each is loaded and its digest compared."""
    return [
        Check("models", "embedder", lambda: check_embedder(settings)),
        Check("models", "photo extractor", lambda: check_extractor(settings)),
        Check("models", "words", lambda: check_words(settings)),
        Check("models", "probability", lambda: check_probability(settings)),
        Check("models", "page text", lambda: check_page_text(settings)),
        Check("models", "added models", lambda: check_added(settings.models_dir)),
    ]


def check_embedder(settings: Settings) -> Finding:
    """The embedder in use, loaded; nothing is downloaded for that."""
    options = resolve_checkpoint(settings.embedder_options, settings.models_dir)
    if "allow_download" in options:
        options["allow_download"] = False

    def load() -> str:
        embedder = make_embedder(settings.embedder, options, device="cpu", batch_size=1)
        return f"{embedder.embedder_id}, {embedder.dim} numbers a photo"

    return _loaded(load, "DOC_ASSETS_EMBEDDER and DOC_ASSETS_EMBEDDER_OPTIONS")


def check_extractor(settings: Settings) -> Finding:
    """The photo extractor in use."""
    options = resolve_checkpoint(settings.photo_extractor_options, settings.models_dir)
    return _loaded(
        lambda: make_extractor(settings.photo_extractor, options).version,
        "DOC_ASSETS_PHOTO_EXTRACTOR and DOC_ASSETS_PHOTO_EXTRACTOR_OPTIONS",
    )


def check_words(settings: Settings) -> Finding:
    """The codebook of visual words."""
    codebook = str(settings.words_codebook) if settings.words_codebook else None
    return _loaded(lambda: f"{codebook or 'built in'}, {VisualWords(codebook).sha256[:8]}", "DOC_ASSETS_WORDS_CODEBOOK")


def check_probability(settings: Settings) -> Finding:
    """The model of photo pairs."""
    model = str(settings.probability_model) if settings.probability_model else None
    return _loaded(lambda: f"{model or 'built in'}, {PairModel(model).sha256[:8]}", "DOC_ASSETS_PROBABILITY_MODEL")


def check_page_text(settings: Settings) -> Finding:
    """The text engine and its language models, if pages are selected by text."""
    if settings.page_selector != "text":
        return green("not in use, DOC_ASSETS_PAGE_SELECTOR=photos")
    return _loaded(
        lambda: make_engine(settings.page_text_engine, settings.page_text_engine_options).engine_id,
        "DOC_ASSETS_PAGE_TEXT_ENGINE and DOC_ASSETS_PAGE_TEXT_ENGINE_OPTIONS",
    )


def check_added(models_dir: Path) -> Finding:
    """Whether every added model has all its files, in their sizes; ``models verify`` reads them."""
    names = model_names(models_dir)
    wrong = [fault for name in names for fault in differences(models_dir / name, read_content=False)]
    if wrong:
        return red("; ".join(wrong[:3]), "Run `doc-assets models verify`; remove the model's folder and add it again.")
    return green(f"{len(names)} in {models_dir}")


def _loaded(load: Callable[[], str], setting: str) -> Finding:
    try:
        return green(load())
    except MissingModelError as error:
        return red(f"missing or damaged: {error}", f"Bring the file back, or correct {setting}.")
    except SetupError as error:
        return red(str(error), f"Correct {setting}.")
