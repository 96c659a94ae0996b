"""``doc-assets models add``, ``list`` and ``verify``."""

import re
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from doc_assets.cli.console import console
from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.features import model_folders, words
from doc_assets.features import weight_files as weights
from doc_assets.features.embedders import gist
from doc_assets.features.model_folders import AddedModel, Model, add_folder, resolve_checkpoint
from doc_assets.pipeline.embedder import embedder_in_use
from doc_assets.search.verify import probability
from doc_assets.settings import Settings

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_BUILT_IN = (gist, words, probability)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a model compares with its manifest; ``faults`` is empty if it agrees."""

    name: str
    faults: list[str]


def add_model(settings: Settings, source: str, name: str | None, revision: str | None) -> AddedModel:
    """Adds a local folder, or a model of the Hugging Face hub, to the home's models.

    Raises:
        SettingsError: if the source is neither.
        MissingModelError: if it is no safe model, or the hub does not give it.
    """
    folder, now = Path(source).expanduser(), datetime.now(UTC)
    if folder.is_dir():
        folder = folder if folder.is_symlink() else folder.absolute()
        return add_folder(settings.models_dir, folder, name or folder.name, str(folder), now)
    if not _HUB_ID.fullmatch(source):
        raise SettingsError(f"{source} is neither a folder nor the id of a hub model (owner/name).")
    wanted = model_folders.checked_name(name or source.partition("/")[2])
    download = settings.models_dir / f".{wanted}.download"
    try:
        commit = _download(source, revision, download)
        return add_folder(settings.models_dir, download, wanted, f"hub:{source}@{commit}", now)
    finally:
        shutil.rmtree(download, ignore_errors=True)


def _download(hub_id: str, revision: str | None, target: Path) -> str:
    """Fetches what we keep of a hub model; returns its commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        commit = HfApi().model_info(hub_id, revision=revision).sha
        if commit is None:
            raise MissingModelError(f"The hub names no commit of {hub_id}.")
        patterns = [f"*{suffix}" for suffix in model_folders.KEPT_SUFFIXES]
        snapshot_download(hub_id, revision=commit, local_dir=target, allow_patterns=patterns)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        raise MissingModelError(
            f"The hub does not give {hub_id}: {error} Without a network, add it in a home that has one, copy its "
            "folder below models/ here and run `doc-assets models add <that folder>`."
        ) from error
    return commit


def print_added(added: AddedModel, settings: Settings) -> None:
    """What was added and how to use it."""
    out, model = console(), added.model
    what = "added" if added.is_new else "is there already, with the same files"
    out.print(f"{model.name} {what}: {len(model.files)} files, {model.size_bytes:,} bytes, from {model.source}")
    if added.left_out:
        out.print(f"Left out: {', '.join(added.left_out)}")
    out.print(f"In {settings.models_dir / model.name}. Use it with")
    out.print("  DOC_ASSETS_EMBEDDER=transformers")
    out.print(f'  DOC_ASSETS_EMBEDDER_OPTIONS={{"checkpoint": "{model.name}"}}')


def list_models(settings: Settings) -> list[dict[str, object]]:
    """Every added model with its origin, size and whether the settings use it."""
    models_dir = settings.models_dir
    used = _used_folders(settings)
    found = [model_folders.read_manifest(models_dir / name) for name in model_folders.model_names(models_dir)]
    return [
        {**_described(model), "used_by": [what for what, folder in used.items() if folder == models_dir / model.name]}
        for model in found
    ]


def _described(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "source": model.source,
        "added_at": model.added_at,
        "size_bytes": model.size_bytes,
        "files": [asdict(file) for file in model.files],
    }


def _used_folders(settings: Settings) -> dict[str, Path]:
    options = {"embedder": embedder_in_use(settings).options, "photo extractor": settings.photo_extractor_options}
    resolved = {what: resolve_checkpoint(given, settings.models_dir) for what, given in options.items()}
    return {what: Path(str(given["checkpoint"])) for what, given in resolved.items() if "checkpoint" in given}


def print_models(settings: Settings, models: list[dict[str, object]]) -> None:
    """The added models as a table."""
    table = Table("model", "bytes", "files", "source", "added", "used by")
    for model in models:
        files, used_by = model["files"], model["used_by"]
        assert isinstance(files, list)
        assert isinstance(used_by, list)
        table.add_row(
            str(model["name"]),
            f"{model['size_bytes']:,}",
            str(len(files)),
            str(model["source"]),
            str(model["added_at"]),
            ", ".join(used_by),
        )
    console().print(table if models else f"No model was added to {settings.models_dir}; the built-in ones need none.")


def verify_models(settings: Settings, names: list[str]) -> list[Verdict]:
    """Compares every file of models with its manifest: those of ``names``, or all, the package's own included.

    Raises:
        SettingsError: if there is no model of a name.
    """
    known = model_folders.model_names(settings.models_dir)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise SettingsError(f"No model {', '.join(unknown)} in {settings.models_dir}; there are {known or 'none'}.")
    verdicts = [Verdict(name, model_folders.differences(settings.models_dir / name)) for name in names or known]
    if names:
        return verdicts
    fitted = sorted(path.parent for path in settings.models_dir.glob(f"[!.]*/*/{weights.MANIFEST}"))
    built_in = [module.WEIGHTS_DIR for module in _BUILT_IN]
    return [*verdicts, *(Verdict(str(folder), _weight_faults(folder)) for folder in (*fitted, *built_in))]


def _weight_faults(folder: Path) -> list[str]:
    try:
        return weights.differing_weights(folder)
    except MissingModelError as error:
        return [str(error)]


def print_verdicts(verdicts: list[Verdict]) -> None:
    """One line a model, and its faults below it."""
    for verdict in verdicts:
        console().print(f"{'DIFFERS' if verdict.faults else 'agrees '} {verdict.name}")
        for fault in verdict.faults:
            console().print(f"  {fault}")
