"""One file carries the product to a machine without a network; nothing of a hostile or damaged one is used."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deploy.tests.stack import PROJECT_DIR, Stack, wait_for

# --- hostile and damaged bundles: no engine is asked


def manifest_of(files: dict[str, bytes]) -> dict:
    described = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "program": False}
        for name, content in files.items()
    }
    release = {"product": "doc_assets", "format": 1, "release": "1", "images": {}, "layers": {}}
    return {**release, "files": described}


def write_bundle(path: Path, manifest: dict, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    text = json.dumps(manifest).encode()
    first = tarfile.TarInfo("bundle.json")
    first.size = len(text)
    with tarfile.open(path, "w") as tar:
        tar.addfile(first, io.BytesIO(text))
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return path


FILES = {"images.tar": b"x", "licences.csv": b"y", "project/README.md": b"z"}


def plain(files: dict[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo(name), content) for name, content in files.items()]


def install(bundle: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = [
        sys.executable,
        str(PROJECT_DIR / "deploy" / "airgap"),
        "install",
        str(bundle),
        "--to",
        str(folder),
        *more,
    ]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def refused(tmp_path: Path, bundle: Path, *more: str) -> str:
    """What was said; nothing may have been written."""
    before = sorted(tmp_path.rglob("*"))
    done = install(bundle, tmp_path / "installed", *more)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    return done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "project/../../outside",
        "/etc/cron.d/outside",
        "project//etc/x",
        "outside",
        "project",
        "project/./x",
        "project/a\\..\\b",
        "project/a\nb",
        "project/.env",
        "project/secrets/operators",
    ],
)
def test_a_name_that_leaves_the_installation_is_refused(tmp_path, name):
    files = {**FILES, name: b"evil"}

    assert "has no place" in refused(tmp_path, write_bundle(tmp_path / "b.tar", manifest_of(files), plain(files)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_only_plain_files_are_taken(tmp_path, kind):
    member = tarfile.TarInfo("project/x")
    member.type, member.linkname = kind, "/etc/passwd"
    manifest = manifest_of({**FILES, "project/x": b""})

    said = refused(tmp_path, write_bundle(tmp_path / "b.tar", manifest, [*plain(FILES), (member, b"")]))

    assert "no plain file" in said


def test_another_digest_size_or_number_of_files_is_refused(tmp_path):
    good = manifest_of(FILES)
    changed = [("project/README.md", b"Z"), ("project/README.md", b"zz")]
    for name, content in changed:
        bundle = write_bundle(tmp_path / "b.tar", good, plain({**FILES, name: content}))
        assert "README.md" in refused(tmp_path, bundle)
    fewer = {name: content for name, content in FILES.items() if name != "project/README.md"}
    assert "1 files are missing" in refused(tmp_path, write_bundle(tmp_path / "b.tar", good, plain(fewer)))
    twice = [*plain(FILES), *plain({"project/README.md": b"z"})]
    assert "no plain file" in refused(tmp_path, write_bundle(tmp_path / "b.tar", good, twice))
    unnamed = plain({**FILES, "project/more": b""})
    assert "no plain file" in refused(tmp_path, write_bundle(tmp_path / "b.tar", good, unnamed))


def test_a_bundle_with_another_digest_than_was_told_by_another_way_is_refused(tmp_path):
    bundle = write_bundle(tmp_path / "b.tar", manifest_of(FILES), plain(FILES))

    assert "another SHA-256" in refused(tmp_path, bundle, "--sha256", "0" * 64)


@pytest.mark.parametrize(
    "changed",
    [
        {"product": "other"},
        {"format": 2},
        {"files": None},
        {"files": {"images.tar": {}}},
        {"release": "../x"},
        {"release": 1},
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path, changed):
    manifest = manifest_of(FILES) | changed

    assert "bundle.json" in refused(tmp_path, write_bundle(tmp_path / "b.tar", manifest, plain(FILES)))


def test_what_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"hello" * 1000)
    with tarfile.open(tmp_path / "zipped.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("bundle.json"))
    write_bundle(tmp_path / "huge.tar", manifest_of(FILES) | {"images": {"x" * 40_000_000: ""}}, plain(FILES))

    for name in ("text", "zipped.tar", "huge.tar", "absent.tar"):
        refused(tmp_path, tmp_path / name)


def test_an_image_that_the_manifest_does_not_name_is_refused_before_it_is_loaded(tmp_path):
    saved = io.BytesIO()
    listed = json.dumps([{"RepoTags": ["postgres:15"]}]).encode()
    with tarfile.open(fileobj=saved, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(listed)
        tar.addfile(member, io.BytesIO(listed))
    files = {**FILES, "images.tar": saved.getvalue()}

    said = refused(tmp_path, write_bundle(tmp_path / "b.tar", manifest_of(files), plain(files)))

    assert "postgres:15" in said


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path):
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "letter.txt").write_text("mine")

    assert "other things" in refused(tmp_path, write_bundle(tmp_path / "b.tar", manifest_of(FILES), plain(FILES)))


# --- a real one


@pytest.fixture(scope="module")
def carried(images, tmp_path_factory):
    """A bundle of the images under test, and the folder it was installed into after they were taken away."""
    folder = tmp_path_factory.mktemp("airgap")
    models = folder / "models" / "tiny"
    models.mkdir(parents=True)
    (models / "config.json").write_text("{}")
    (models / "doc_assets_model.json").write_text("{}")
    (folder / "source").mkdir()
    source = Stack(folder / "source", **images)
    made = source.run(
        "deploy/airgap", "bundle", "--to", str(folder / "stick"), "--models", str(folder / "models"), timeout_s=900
    )
    (bundle,) = (folder / "stick").glob("*.tar")
    release = bundle.name.removeprefix("doc-assets-").removesuffix(".tar")
    ids = {
        image: source.run("docker", "image", "inspect", "--format", "{{.Id}}", image).stdout
        for image in images.values()
    }
    kept = {image: image.rsplit(":", 1)[0] + ":kept-by-test" for image in images.values()}
    for image, name in kept.items():  # so that later tests find what was built
        source.run("docker", "tag", image, name)
        source.run("docker", "rmi", image, f"{image.rsplit(':', 1)[0]}:{release}")
    program = [
        sys.executable,
        str(folder / "stick" / "airgap.pyz"),
        "install",
        str(bundle),
        "--to",
        str(folder / "there"),
    ]
    done = source.run(*program, "--sha256", made.stderr.split("--sha256 ")[1].split()[0], timeout_s=900)
    yield {"bundle": bundle, "folder": folder / "there", "said": made.stderr + done.stderr, "ids": ids}
    for image, name in kept.items():
        source.run("docker", "tag", name, image)
        source.run("docker", "rmi", name, f"{image.rsplit(':', 1)[0]}:{release}", check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.more
def test_a_bundle_brings_images_files_models_and_licences(carried):
    folder = carried["folder"]
    found = {
        image: subprocess.run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", image], capture_output=True, text=True, check=True
        ).stdout
        for image in carried["ids"]
    }
    licences = (folder / "licences.csv").read_text(encoding="utf-8")

    assert found == carried["ids"]
    assert "deploy/init && docker compose up" in carried["said"]
    assert (folder / "models" / "tiny" / "doc_assets_model.json").is_file()
    assert os.access(folder / "deploy" / "init", os.X_OK)
    assert not (folder / "secrets").exists()
    assert not (folder / ".env").exists()
    assert len(list((folder / "wheelhouse").glob("*.whl"))) > 100
    for part in (",python,dagster,", ",python,torch,", ",debian,tini,", ",debian,nginx-light,"):
        assert part in licences


@pytest.mark.more
def test_the_image_is_built_from_the_bundle_with_networking_off(carried, images):
    command = ["docker", "build", "--quiet", "--network", "none", "--no-cache-filter", "builder", "--target", "runtime"]
    command += ["--file", "Dockerfile_user_code", "--tag", "doc-assets:built-offline", "."]
    subprocess.run(command, cwd=carried["folder"], check=True, capture_output=True, timeout=1200)

    run = ["docker", "run", "--rm", "--network", "none", "doc-assets:built-offline", "doc-assets", "--help"]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    subprocess.run(["docker", "rmi", "doc-assets:built-offline"], check=True, capture_output=True)

    assert "build-image-index" in said


@pytest.mark.more
def test_the_stack_starts_from_what_was_installed(carried, images, tmp_path_factory, monkeypatch):
    import deploy.tests.stack as module

    monkeypatch.setattr(module, "PROJECT_DIR", carried["folder"])
    there = Stack(tmp_path_factory.mktemp("there"), STACK_PROJECT="doc-assets-there", **images)
    try:
        there.up()
        with there.client() as client:
            assert client.get("/dagster/server_info").status_code == 200
        models = "tar -c models | docker compose exec -T user-code tar -C /var/lib/doc-assets -x"
        there.run("sh", "-c", models)
        assert "tiny" in there.compose("exec", "-T", "user-code", "ls", "/var/lib/doc-assets/models")
        wait_for("the daemon", lambda: there.health("daemon") == "healthy", 120)
    finally:
        there.down()
