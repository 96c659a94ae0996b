"""Where models come from: a folder, or the Hugging Face hub."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from doc_assets.errors import MissingModelError, SettingsError
from doc_assets.features.model_folders import KEPT_SUFFIXES, AddedModel, add_folder, checked_name

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def add_model(models_dir: Path, source: str, name: str | None, revision: str | None) -> AddedModel:
    """Adds a local folder, or a model of the hub, to a home's models.

    Args:
        models_dir: folder of all models.
        source: a folder, or a hub id.
        name: of the new folder; default: as the source is called.
        revision: branch, tag or commit of a hub id.

    Raises:
        SettingsError: if the source is neither.
        MissingModelError: if it is no safe model, or the hub does not give it.
    """
    folder, now = Path(source).expanduser(), datetime.now(UTC)
    if folder.is_dir():
        folder = folder if folder.is_symlink() else folder.absolute()
        return add_folder(models_dir, folder, name or folder.name, str(folder), now)
    if not _HUB_ID.fullmatch(source):
        raise SettingsError(f"{source} is neither a folder nor the id of a hub model (owner/name).")
    wanted = checked_name(name or source.partition("/")[2])
    download = models_dir / f".{wanted}.download"
    try:
        commit = _download(source, revision, download)
        return add_folder(models_dir, download, wanted, f"hub:{source}@{commit}", now)
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
        patterns = [f"*{suffix}" for suffix in KEPT_SUFFIXES]
        snapshot_download(hub_id, revision=commit, local_dir=target, allow_patterns=patterns)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        raise MissingModelError(
            f"The hub does not give {hub_id}: {error} Without a network, add it in a home that has one, copy its "
            "folder below models/ here and run `doc-assets models add <that folder>`."
        ) from error
    return commit
