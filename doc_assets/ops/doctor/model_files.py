"""Every file of the models compared with their manifests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.features import words
from doc_assets.features.embedders import gist
from doc_assets.features.model_folders import differences, model_names
from doc_assets.features.weight_files import MANIFEST, differing_weights
from doc_assets.search.verify import probability

_BUILT_IN = (gist, words, probability)


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
