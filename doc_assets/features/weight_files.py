"""Weights that ship with the package: safetensors beside a manifest of their size, digest and origin."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.errors import MissingModelError
from doc_assets.util.files import sha256_of, sha256_of_files

Tensors = dict[str, NDArray[Any]]

MANIFEST = "manifest.json"


def load_weights(path: Path) -> tuple[Tensors, str]:
    """The tensors of a weights file and its SHA-256.

    Raises:
        MissingModelError: if the file is absent, or differs from the manifest beside it.
    """
    from safetensors.numpy import load  # noqa: PLC0415

    content, found = read_weights(path)
    return load(content), found


def read_weights(path: Path) -> tuple[bytes, str]:
    """The content of a weights file of any format and its SHA-256.

    Raises:
        MissingModelError: if the file is absent, or differs from the manifest beside it.
    """
    try:
        content = path.read_bytes()
        manifest = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingModelError(
            f"Weights {path} or their {MANIFEST} are missing: {error}. Install the package again, "
            "or fit anew what `doc-assets fit-embedder` or `doc-assets fit-words` makes."
        ) from error
    found = sha256_of(content)
    wanted = manifest.get(path.name, {}).get("sha256")
    if found != wanted:
        raise MissingModelError(
            f"Weights {path} have SHA-256 {found}, the manifest beside them says {wanted}. "
            "The file is damaged or was exchanged: install the package again or fit the weights anew."
        )
    return content, found


def how_made(path: Path) -> dict[str, Any]:
    """What the manifest beside a weights file says of its making; ``load_weights`` has read it before."""
    manifest = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))
    return dict(manifest[path.name].get("how_made", {}))


def save_weights(path: Path, tensors: Tensors, made: dict[str, object]) -> str:
    """Writes a weights file and its line in the manifest; returns the SHA-256."""
    from safetensors.numpy import save  # noqa: PLC0415

    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    digest = sha256_of(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    manifest_path = path.parent / MANIFEST
    manifest = json.loads(manifest_path.read_text(encoding="utf-8")) if manifest_path.exists() else {}
    manifest[path.name] = {"bytes": len(content), "sha256": digest, "how_made": made}
    manifest_path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return digest


def differing_weights(folder: Path) -> list[str]:
    """How the weights in a folder differ from the manifest beside them, in words.

    Raises:
        MissingModelError: if there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        wanted = {name: entry["sha256"] for name, entry in manifest.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MissingModelError(f"The manifest {path} is missing or damaged: {error}.") from error
    faults = []
    for name, digest in wanted.items():
        file = folder / Path(name).name
        if not file.is_file():
            faults.append(f"{file} is missing")
        elif (found := sha256_of_files(file)) != digest:
            faults.append(f"{file} has SHA-256 {found}, not {digest}")
    return faults
