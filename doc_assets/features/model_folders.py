"""Models that an operator added, from a folder or the Hugging Face hub: safetensors weights, each with a manifest.

A model file comes from outside. Formats that can run code when they are loaded are refused, and what is
copied is looked at: weights must be safetensors, configurations JSON, nothing a link.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.errors import MissingModelError, SettingsError, SetupError
from doc_assets.util.files import exclusive, sha256_of_files, sync_folder, write_atomic

MANIFEST = "doc_assets_model.json"
KEPT_SUFFIXES = (".safetensors", ".json", ".txt")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
UNSAFE_SUFFIXES = (*_PICKLES, ".npy", ".npz", ".h5", ".keras", ".msgpack")
"""Formats of weights that are, or may hold, programs; a folder with one of them is refused as a whole."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SPARE_BYTES = 256 << 20
_MAX_JSON_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: its path below the folder with ``/``, size and SHA-256."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """An added model.

    Attributes:
        name: of its folder.
        source: a folder's path, or ``hub:<id>@<commit>``.
        added_at: when, UTC, RFC 3339.
        files: in the order of their paths.
    """

    name: str
    source: str
    added_at: str
    files: tuple[ModelFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class AddedModel:
    """What ``add_folder`` did: the model, whether it is new, and which files were left out."""

    model: Model
    is_new: bool
    left_out: tuple[str, ...]


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"A model's name has letters, digits, '.', '_' and '-', 100 at most; got {name!r}. Give --name."
        )
    return name


def resolve_checkpoint(options: Mapping[str, Any], models_dir: Path) -> dict[str, Any]:
    """``options`` with ``checkpoint`` as a path if it is the bare name of a folder in ``models_dir``."""
    checkpoint = options.get("checkpoint")
    if isinstance(checkpoint, str) and _NAME.fullmatch(checkpoint) and (models_dir / checkpoint).is_dir():
        return {**options, "checkpoint": str(models_dir / checkpoint)}
    return dict(options)


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
    wanted = _checked_name(name or source.partition("/")[2])
    download = models_dir / f".{wanted}.download"
    try:
        commit = _download(source, revision, download)
        return add_folder(models_dir, download, wanted, f"hub:{source}@{commit}", now)
    finally:
        shutil.rmtree(download, ignore_errors=True)


def add_folder(models_dir: Path, source: Path, name: str, origin: str, now: datetime) -> AddedModel:
    """Copies a model's folder to ``models_dir / name`` with a manifest; all of it or nothing.

    A model of that name with the same files is left as it is. A manifest beside the source (a copy of another
    home's model) must agree with the files, and hands on where they came from.

    Args:
        models_dir: folder of all models; made if it is not there.
        source: folder with ``config.json`` and safetensors weights.
        name: of the new folder.
        origin: what to note as its source, if it has no manifest.
        now: aware time to note.

    Raises:
        SetupError: if the name is taken by other files or cannot be one, or the disk has too little room.
        MissingModelError: if the source is no model, holds unsafe files or links, or differs from its manifest.
    """
    _checked_name(name)
    wanted, left_out = _wanted_files(source)
    known = read_manifest(source) if (source / MANIFEST).is_file() else None
    _require_room(models_dir, source, wanted)
    being_made = models_dir / f".{name}.new"
    with exclusive(models_dir / ".lock"):
        shutil.rmtree(being_made, ignore_errors=True)
        try:
            files = tuple(_copy(source / path, being_made / path, path) for path in wanted)
            for path in wanted:
                _require_sound(being_made / path, path)
            if known is not None and known.files != files:
                raise MissingModelError(f"The files in {source} differ from its {MANIFEST}: copy them again.")
            added_at = now.astimezone(UTC).isoformat(timespec="seconds")
            model = replace(known, name=name) if known else Model(name, origin, added_at, files)
            if (models_dir / name).exists():
                return AddedModel(_same(models_dir / name, model), is_new=False, left_out=left_out)
            described = asdict(model)
            del described["name"]  # the folder has it
            manifest = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
            write_atomic(UPath(being_made / MANIFEST), manifest.encode())
            being_made.rename(models_dir / name)
            sync_folder(models_dir)
        finally:
            shutil.rmtree(being_made, ignore_errors=True)
    return AddedModel(model, is_new=True, left_out=left_out)


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


def model_names(models_dir: Path) -> list[str]:
    """Names of the models in a folder, sorted; folders without a manifest are none."""
    return sorted(path.parent.name for path in models_dir.glob(f"[!.]*/{MANIFEST}"))


def read_manifest(folder: Path) -> Model:
    """The model that a folder's manifest describes.

    Raises:
        MissingModelError: if there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(ModelFile(file["path"], int(file["size_bytes"]), file["sha256"]) for file in found["files"])
        return Model(folder.name, str(found["source"]), str(found["added_at"]), files)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MissingModelError(
            f"The manifest {path} is missing or damaged: {error}. Add the model again with `doc-assets models add`."
        ) from error


def differences(folder: Path, *, read_content: bool = True) -> list[str]:
    """How a model's files differ from its manifest, in words; sizes only, unless ``read_content``."""
    try:
        model = read_manifest(folder)
    except MissingModelError as error:
        return [str(error)]
    faults = []
    for file in model.files:
        path = folder / file.path
        if not path.is_file() or path.is_symlink():
            faults.append(f"{model.name}: {file.path} is missing")
        elif path.stat().st_size != file.size_bytes:
            faults.append(f"{model.name}: {file.path} has {path.stat().st_size} bytes, not {file.size_bytes}")
        elif read_content and (found := sha256_of_files(path)) != file.sha256:
            faults.append(f"{model.name}: {file.path} has SHA-256 {found}, not {file.sha256}")
    known = {MANIFEST, *(file.path for file in model.files)}
    faults += [f"{model.name}: {path} was put there later" for path in _regular_files(folder) if path not in known]
    return faults


def _wanted_files(source: Path) -> tuple[list[str], tuple[str, ...]]:
    """Paths to copy, and what is left out."""
    if source.is_symlink() or not source.is_dir():
        raise MissingModelError(f"{source} is no folder. Name a folder with config.json and *.safetensors.")
    every = [path for path in _regular_files(source) if path != MANIFEST]
    unsafe = [path for path in every if path.lower().endswith(UNSAFE_SUFFIXES)]
    if unsafe:
        raise MissingModelError(
            f"{source} holds {', '.join(unsafe[:5])}: such weights can run code when they are loaded. Convert "
            "them with transformers' save_pretrained (safetensors) and add a folder without them."
        )
    wanted = [path for path in every if path.endswith(KEPT_SUFFIXES)]
    if "config.json" not in wanted or not any(path.endswith(".safetensors") for path in wanted):
        raise MissingModelError(
            f"{source} is no model: wanted are config.json and *.safetensors, found are {every[:5]}."
        )
    return wanted, tuple(path for path in every if path not in wanted)


def _regular_files(root: Path) -> list[str]:
    """Every file below ``root``, hidden ones and hidden folders left out.

    Raises:
        MissingModelError: if one is a link or no regular file.
    """
    files = []
    for path in root.rglob("*"):
        below = path.relative_to(root)
        if any(part.startswith(".") for part in below.parts):
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise MissingModelError(f"{path} is a link or no regular file. Copy the model with `cp -rL` first.")
        if path.is_file():
            files.append(below.as_posix())
    return sorted(files)


def _require_room(models_dir: Path, source: Path, wanted: list[str]) -> None:
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"The models' folder {models_dir} cannot be made: {error}.") from error
    needed = sum((source / path).lstat().st_size for path in wanted) + _SPARE_BYTES
    free = shutil.disk_usage(models_dir).free
    if free < needed:
        raise SetupError(f"{needed >> 20} MiB are needed in {models_dir}, {free >> 20} MiB are free. Make room.")


def _copy(source: Path, target: Path, path: str) -> ModelFile:
    """Copies one file, which must be no link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
    except OSError as error:
        raise MissingModelError(f"{source} cannot be copied to {target.parent}: {error}.") from error
    return ModelFile(path, target.stat().st_size, sha256_of_files(target))


def _require_sound(copied: Path, path: str) -> None:
    """Refuses a file that is not what its suffix says."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    if path.endswith(".json") and copied.stat().st_size > _MAX_JSON_BYTES:
        raise MissingModelError(f"{path} has {copied.stat().st_size} bytes, too many for JSON.")
    try:
        if path.endswith(".safetensors"):
            with safe_open(copied, "numpy"):
                pass
        elif path.endswith(".json"):
            json.loads(copied.read_bytes())
    except (SafetensorError, ValueError, RecursionError) as error:
        raise MissingModelError(f"{path} is damaged or not what its name says: {error}.") from error


def _same(folder: Path, model: Model) -> Model:
    found = read_manifest(folder)
    if found.files != model.files or differences(folder):
        raise SetupError(
            f"There is another model {model.name!r} in {folder.parent}. Choose a --name, or remove that folder first."
        )
    return found
