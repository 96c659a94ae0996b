"""Making a bundle: one plain tar file, ``bundle.json`` first, with size and SHA-256 of every other member."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deploy.ops.engine import TREE, Compose, OperatorError, digest, inspect, repository, run, say
from deploy.ops.install import FORMAT, IMAGES, LICENCES, MANIFEST, RELEASE

PROJECT = (
    "docker-compose*.yaml",
    "Dockerfile_user_code",
    ".dockerignore",
    ".env.example",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
    "dagster.yaml",
    "workspace.yaml",
    "doc_assets",
    "deploy",
    "docs",
)
LEFT_OUT = {"__pycache__", "tests"}
PROGRAM = (
    "deploy/__init__.py",
    "deploy/ops/__init__.py",
    "deploy/ops/airgap.py",
    "deploy/ops/engine.py",
    "deploy/ops/install.py",
)


def bundle(folder: Path, compose_files: list[str], models: Path, *, with_wheelhouse: bool) -> None:
    """Writes ``doc-assets-<release>.tar``, its digest and a program that installs it into a folder.

    Raises:
        OperatorError: if an image, wheels or a model's manifest are missing.
    """
    services = Compose(compose_files).config()["services"]
    own = sorted({service["image"] for service in services.values() if "build" in service})
    others = sorted({service["image"] for service in services.values()} - set(own))
    release = _release(services["user-code"]["image"])
    named = {image: f"{repository(image)}:{release}" for image in own}
    for image, released in named.items():
        run("docker", "tag", image, released)
    base = [services["configure"]["build"]["args"]["PYTHON_IMAGE"]] if with_wheelhouse else []
    saved = [*named.values(), *others, *base]
    about = {image: inspect(image)["RootFS"]["Layers"] for image in saved}

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as made:
        say(f"saving {len(saved)} images: {', '.join(saved)}")
        run("docker", "save", "--output", f"{made}/{IMAGES}", *saved)
        (Path(made) / LICENCES).write_text(_licences([*named.values(), *others]), encoding="utf-8", newline="")
        files = {IMAGES: Path(made) / IMAGES, LICENCES: Path(made) / LICENCES, **_project(), **_models(models)}
        if with_wheelhouse:
            files.update(_wheelhouse())
        described = {
            name: {"bytes": path.stat().st_size, "sha256": digest(path), "program": os.access(path, os.X_OK)}
            for name, path in files.items()
        }
        manifest = {
            "product": "doc_assets",
            "format": FORMAT,
            "release": release,
            "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "images": named,
            "layers": about,
            "files": described,
        }
        written = folder / f"doc-assets-{release}.tar"
        _write(Path(made) / "bundle.tar", json.dumps(manifest, indent=1).encode(), files)
        (Path(made) / "bundle.tar").replace(written)
    whole = digest(written)
    Path(f"{written}.sha256").write_text(f"{whole}  {written.name}\n", encoding="ascii")
    _carry_program(folder / "airgap.pyz")
    say(f"{written}: {written.stat().st_size / 1e6:,.0f} MB, {len(files)} files, {len(saved)} images\nsha256 {whole}")
    say(f"next: carry {folder} over; there: python3 airgap.pyz install {written.name} --to DIR --sha256 {whole}")


def _release(image: str) -> str:
    """Version and revision that the image was built with; its id stands for an unknown revision."""
    found = inspect(image)
    labels = found["Config"]["Labels"] or {}
    version, revision = (labels.get(f"org.opencontainers.image.{key}", "unknown") for key in ("version", "revision"))
    release = f"{version}-{found['Id'].removeprefix('sha256:')[:12] if revision == 'unknown' else revision}"
    if not RELEASE.fullmatch(release):
        raise OperatorError(
            f"The labels of {image} make the release {release!r}, which is no tag. Build it with others."
        )
    return release


def _carry_program(target: Path) -> None:
    """The installing half as one file that any Python runs: where it is needed first, nothing is installed."""
    with zipfile.ZipFile(target, "w") as program:
        for name in PROGRAM:
            program.write(TREE / name, name)
        program.writestr(
            "__main__.py", "import sys\nfrom deploy.ops.airgap import main\nsys.exit(main(sys.argv[1:]))\n"
        )


def _write(target: Path, manifest: bytes, files: dict[str, Path]) -> None:
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(manifest), 0o644
        tar.addfile(entry, io.BytesIO(manifest))
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)


def _project() -> dict[str, Path]:
    files = {f"project/{path.relative_to(TREE).as_posix()}": path for root in PROJECT for path in _below(TREE, root)}
    readme = TREE / "wheelhouse" / "README.md"  # the folder has to be there for builds
    return {**files, "wheelhouse/README.md": readme}


def _wheelhouse() -> dict[str, Path]:
    folder = TREE / "wheelhouse"
    for suffix, target in (("whl", ".filled"), ("deb", ".debs")):
        if not any(folder.glob(f"*.{suffix}")):
            raise OperatorError(
                f"{folder} holds no .{suffix} files, so the image could not be built there. "
                f"`make wheelhouse/{target}` collects them, or leave the build out: --without-wheelhouse."
            )
    return {f"wheelhouse/{path.name}": path for path in sorted(folder.glob("*")) if path.suffix in {".whl", ".deb"}}


def _models(folder: Path) -> dict[str, Path]:
    files = {}
    for model in sorted(path for path in folder.glob("*") if path.is_dir()):
        if not any((model / name).is_file() for name in ("doc_assets_model.json", "manifest.json")):
            raise OperatorError(
                f"{model} has no manifest, so nobody could check it there. Add it by `doc-assets models add`."
            )
        files.update({f"models/{path.relative_to(folder).as_posix()}": path for path in _below(folder, model.name)})
    return files


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    for root in sorted(folder.glob(pattern)):
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            inside = path.relative_to(folder).parts
            if path.is_file() and not path.is_symlink() and not set(inside) & set(LEFT_OUT):
                yield path


def _licences(images: list[str]) -> str:
    """What every part of every image is licensed under, as a table."""
    rows = []
    for image in images:
        for part in json.loads(_print_of(image, "cat /app/sbom.json") or '{"components": []}')["components"]:
            if part["purl"].startswith("pkg:pypi/"):
                names = [one["license"]["name"] for one in part.get("licenses", [])]
                rows.append([image, "python", part["name"], part["version"], "; ".join(names) or "not stated"])
        for line in _print_of(image, "dpkg-query --show --showformat '${Package}\\t${Version}\\n'").splitlines():
            name, version = line.split("\t")
            rows.append([image, "debian", name, version, f"/usr/share/doc/{name}/copyright in the image"])
    table = io.StringIO()
    csv.writer(table).writerows([["image", "kind", "name", "version", "licence"], *rows])
    return table.getvalue()


def _print_of(image: str, script: str) -> str:
    """What a program of the image prints; nothing if the image has no such program or file."""
    options = ("--rm", "--network", "none", "--user", "65534", "--entrypoint", "sh")
    return run("docker", "run", *options, image, "-c", f"{script} 2>/dev/null || true").stdout
