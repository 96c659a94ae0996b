"""Checks of models: the weights of everything learnt that is in use, and every file of the models that were added."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from doc_assets.errors import DamagedError, MissingModelError, ServiceError, SettingsError, SetupError
from doc_assets.features import words
from doc_assets.features.embedders import gist
from doc_assets.features.embedders.base import make_embedder
from doc_assets.features.model_folders import differences, model_names, resolve_checkpoint
from doc_assets.features.weight_files import MANIFEST, differing_weights
from doc_assets.ops.doctor.check import Finding, Level, green, red, yellow
from doc_assets.photos.base import make_extractor
from doc_assets.reading.text.base import make_engine
from doc_assets.reports import redaction
from doc_assets.runtime import embedder_in_use, embedder_of_settings
from doc_assets.search.verify import probability
from doc_assets.search.verify.calibration import load_calibration
from doc_assets.settings import Settings

_BUILT_IN = (gist, words, probability, redaction)


def check_embedder(settings: Settings) -> Finding:
    """The embedder in use, loaded; nothing is downloaded for that."""
    try:
        spec = embedder_in_use(settings)
    except (DamagedError, ServiceError, SQLAlchemyError) as error:
        return red(f"the ledger, which names it, cannot be read: {error}", "See `ledger database`.")
    options = {name: value for name, value in spec.options.items() if name != "allow_download"}

    def load() -> str:
        at = resolve_checkpoint(options, settings.models_dir)
        embedder = make_embedder(spec.name, at, device="cpu", batch_size=1)  # not one that this process loaded before
        return f"{embedder.embedder_id}, {embedder.dim} numbers a photo"

    found = _loaded(load, "DOC_ASSETS_EMBEDDER and DOC_ASSETS_EMBEDDER_OPTIONS")
    if found.level is Level.GREEN and spec != embedder_of_settings(settings):
        return yellow(
            f"{found.says}; the settings name {settings.embedder} {json.dumps(settings.embedder_options)}",
            "The archive's embedder counts. `doc-assets reindex` changes it to that of the settings.",
        )
    return found


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
    return _loaded(
        lambda: f"{codebook or 'built in'}, {words.VisualWords(codebook).sha256[:8]}", "DOC_ASSETS_WORDS_CODEBOOK"
    )


def check_probability(settings: Settings, look_at_embedder: Callable[[], Finding]) -> Finding:
    """The model of photo pairs, and whether it was fitted with the embedder that ``check_embedder`` found."""
    path = str(settings.probability_model) if settings.probability_model else None
    found = _loaded(
        lambda: f"{path or 'built in'}, {probability.PairModel(path).sha256[:8]}", "DOC_ASSETS_PROBABILITY_MODEL"
    )
    if found.level is Level.GREEN:
        found = _with_calibration(found.says, settings, path)
    if found.level is Level.YELLOW:
        return found
    embedder = look_at_embedder()
    if found.level is Level.RED or embedder.level is Level.RED:
        return found
    model, used = probability.PairModel(path), embedder.says.partition(",")[0]
    if model.fitted_for == used:
        return found
    return yellow(
        f"{found.says}, was fitted with {model.fitted_for}, in use is {used}: pairs that keypoints cannot decide do "
        "not count",
        "Fit one with `doc-assets fit-probability` and name it in DOC_ASSETS_PROBABILITY_MODEL.",
    )


def _with_calibration(says: str, settings: Settings, path: str | None) -> Finding:
    """What ``check_probability`` says of weights, with the calibration by verdicts that is used with them."""
    try:
        kept = load_calibration(settings.models_dir)
    except MissingModelError as error:
        return red(f"{says}; {error}", "See what it says of the calibration.")
    if kept is None:
        return green(f"{says}, no calibration by verdicts")
    calibration, made = kept
    name = f"calibration {calibration.calibration_id} of {str(made.get('at'))[:10]}"
    if not settings.use_calibration:
        return green(f"{says}, {name} left aside (DOC_ASSETS_USE_CALIBRATION)")
    if probability.PairModel(path, calibration=calibration).calibration is None:
        return yellow(
            f"{says}; {name} was learnt for other weights ({calibration.base}) and is not used",
            "Run `refit_job` with `learn_from: verdicts` once cases of these weights were judged.",
        )
    return green(f"{says}, {name}")


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


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """How a model compares with its manifest; ``faults`` is empty if it agrees."""

    name: str
    faults: list[str]


def compare_models(models_dir: Path, names: Sequence[str]) -> list[ComparedModel]:
    """Compares every file of models with its manifest: those of ``names``, or all, the package's own included.

    Raises:
        SettingsError: if there is no model of a name.
    """
    known = model_names(models_dir)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise SettingsError(f"No model {', '.join(unknown)} in {models_dir}; there are {known or 'none'}.")
    added = [ComparedModel(name, differences(models_dir / name)) for name in names or known]
    if names:
        return added
    fitted = sorted(path.parent for path in models_dir.glob(f"[!.]*/*/{MANIFEST}"))
    built_in = [module.WEIGHTS_DIR for module in _BUILT_IN]
    return [*added, *(ComparedModel(str(folder), _weight_faults(folder)) for folder in (*fitted, *built_in))]


def _weight_faults(folder: Path) -> list[str]:
    try:
        return differing_weights(folder)
    except MissingModelError as error:
        return [str(error)]
