"""Installing a bundle: nothing is used before its digest was compared, nothing is written outside its place."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, Any

from deploy.ops.engine import BLOCK, OperatorError, digest, exists, inspect, run, say

MANIFEST, IMAGES, LICENCES = "bundle.json", "images.tar", "licences.csv"
SHELVES = ("project", "wheelhouse", "models")
YOURS = (".env", "secrets", "appdata", "applog", "backups")
"""What a person made below the installation; no bundle holds them."""
FORMAT = 1
RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""What a tag of an image may be."""
MAX_MANIFEST_BYTES = 32 << 20


def install(path: Path, folder: Path, sha256: str) -> None:
    """Checks everything in a folder beside the installation, then loads the images and moves the files in."""
    if sha256 and digest(path) != sha256.lower():
        raise OperatorError(
            f"{path} has another SHA-256 than {sha256}: it is damaged, or not the bundle that was made."
        )
    before = _installed(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".airgap-") as made:
        checked = Path(made)
        with tarfile.open(path, "r:") as tar:  # never compressed: nothing can grow while it is read
            manifest = _read_manifest(tar)
            free = shutil.disk_usage(checked).free
            needed = sum(about["bytes"] for about in manifest["files"].values())
            if needed > free:
                raise OperatorError(f"The bundle needs {needed:,} bytes below {folder.parent}, {free:,} are free.")
            _unpack(tar, manifest["files"], checked)
        _require_own_tags(checked / IMAGES, manifest["layers"])
        say(f"{len(manifest['files'])} files are as they were made; loading {len(manifest['layers'])} images")
        run("docker", "load", "--quiet", "--input", str(checked / IMAGES))
        for image, layers in manifest["layers"].items():
            if inspect(image)["RootFS"]["Layers"] != layers:
                raise OperatorError(
                    f"The engine holds another {image} than the bundle. Is somebody else loading images?"
                )
        fresh = _tag_if_missing(manifest["images"])
        _lay_out(checked, folder, before, manifest)
    _say_next(folder, manifest, fresh)


def _installed(folder: Path) -> dict[str, Any]:
    """The manifest of what is installed there; empty if nothing is."""
    if (folder / MANIFEST).is_file():
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return found
    if folder.exists() and any(folder.iterdir()):
        raise OperatorError(f"{folder} holds other things. Name a new folder, or one that a bundle was installed into.")
    return {}


def _read_manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST_BYTES:
        raise OperatorError(f"This is no bundle of doc_assets: its first member is not {MANIFEST}.")
    try:
        found: dict[str, Any] = json.loads(_content(tar, first).read())
        known = found["product"] == "doc_assets" and found["format"] == FORMAT
        files, images, layers = found["files"], found["images"], found["layers"]
        whole = all(isinstance(one["bytes"], int) and one["bytes"] >= 0 and one["sha256"] for one in files.values())
        whole = whole and set(images.values()) <= set(layers) and {IMAGES, LICENCES} <= set(files)
        whole = whole and RELEASE.fullmatch(found["release"]) is not None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(f"{MANIFEST} cannot be used: {error!r}.") from error
    if not known or not whole:
        raise OperatorError(
            f"{MANIFEST} is not one of format {FORMAT}: take the airgap.pyz that lies beside the bundle."
        )
    for name in files:
        _require_safe(name)
    return found


def _require_safe(name: str) -> None:
    path = PurePosixPath(name)
    shelved = name in {IMAGES, LICENCES} or (path.parts[:1] and path.parts[0] in SHELVES and path.name not in SHELVES)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    yours = path.parts[:1] == ("project",) and path.parts[1:2] and path.parts[1] in YOURS
    if yours or not (plain and shelved and name.isprintable() and "\\" not in name):
        raise OperatorError(f"The bundle names {name!r}, which has no place in an installation. Nothing was changed.")


def _unpack(tar: tarfile.TarFile, files: dict[str, Any], target: Path) -> None:
    """Writes members that are plain files, named in the manifest and unchanged; the first other one ends it."""
    missing = set(files)
    for member in tar:
        if member.name == MANIFEST and member.offset == 0:
            continue
        _require_safe(member.name)
        plain = member.isreg() and not member.issparse()
        if not plain or member.name not in missing or member.size != files[member.name]["bytes"]:
            raise OperatorError(f"Member {member.name!r} is no plain file of that size and name. Nothing was changed.")
        missing.remove(member.name)
        path = target / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        found, content = hashlib.sha256(), _content(tar, member)
        with path.open("xb") as written:
            while block := content.read(BLOCK):
                found.update(block)
                written.write(block)
        if found.hexdigest() != files[member.name]["sha256"]:
            raise OperatorError(
                f"{member.name} has another SHA-256 than {MANIFEST} says. Nothing was changed; carry it anew."
            )
    if missing:
        raise OperatorError(
            f"{len(missing)} files are missing, e.g. {sorted(missing)[0]}. Nothing was changed; carry it anew."
        )


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise OperatorError(f"Member {member.name!r} has no content.")
    return content


def _require_own_tags(images: Path, expected: dict[str, Any]) -> None:
    """`docker load` gives every name in the file to its images; one more could replace an image of this machine."""
    with tarfile.open(images, "r:") as tar:
        listed = json.loads(_content(tar, tar.getmember("manifest.json")).read())
    tags = {tag for image in listed for tag in image["RepoTags"] or []}
    if tags != set(expected):
        raise OperatorError(f"{IMAGES} holds images named {sorted(tags)}, {MANIFEST} says {sorted(expected)}.")


def _tag_if_missing(named: dict[str, str]) -> bool:
    """Gives images the names that compose looks for, unless there are such: deploy/update changes a running stack."""
    missing = [name for name in named if not exists(name)]
    for name in missing:
        run("docker", "tag", named[name], name)
    return len(missing) == len(named)


def _lay_out(checked: Path, folder: Path, before: dict[str, Any], manifest: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name in sorted(set(before.get("files", {})) - set(manifest["files"])):
        _require_safe(name)
        _place(folder, name).unlink(missing_ok=True)
    for name, about in manifest["files"].items():
        if name == IMAGES:
            continue
        target = _place(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (checked / name).chmod(0o755 if about["program"] is True else 0o644)
        (checked / name).replace(target)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _place(folder: Path, name: str) -> Path:
    return folder / (name[len("project/") :] if name.startswith("project/") else name)


def _say_next(folder: Path, manifest: dict[str, Any], fresh: bool) -> None:
    say(f"installed {manifest['release']} in {folder}; licences of all parts: {LICENCES}")
    if fresh:
        say(f"next: cd {folder} && deploy/init && docker compose up --detach --wait")
    else:
        say(f"next: cd {folder} && deploy/update --release {manifest['release']}")
    if any(name.startswith("models/") for name in manifest["files"]):
        into = "tar -c models | docker compose exec -T user-code tar -C /var/lib/doc-assets -x"
        say(f"then the models: {into} && docker compose exec user-code doc-assets models verify")
