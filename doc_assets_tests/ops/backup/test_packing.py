"""A file from another machine is held to its manifest, whatever stands in it."""

import hashlib
import io
import json
import tarfile

import pytest

from doc_assets.errors import BackupError
from doc_assets.ops.backup.manifest import parse_manifest
from doc_assets.ops.backup.packing import pack, unpack

CONTENT = b"some rows"
NAME = "databases/ledger.sqlite"


def manifest(**changes):
    entry = {"size_bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return {
        "format": 1, "home": "home", "made_at": "2026-11-21T09:30:00Z", "versions": {}, "bulk": "copy",
        "ledger": {"kind": "sqlite", "file": NAME, "revision": "0006", "rows": {"drops": 1}}, "dagster": None,
        "bulk_root": "/x", "collections": {}, "aliases": {}, "forgotten": 0, "quiet": True, "faults": 0, "counts": {},
        "files": {NAME: entry}, "referenced": {}, **changes,
    }  # fmt: skip


def member(name=NAME, content=CONTENT, **changes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, io.BytesIO(content)


def tar_of(tmp_path, *members, listed=None):
    path = tmp_path / "stack.tar"
    text = json.dumps(listed or manifest()).encode()
    with tarfile.open(path, "w") as tar:
        for info, content in (member("manifest.json", text), *members):
            tar.addfile(info, content)
    return path


def test_what_was_packed_is_unpacked(tmp_path):
    folder = tmp_path / "backup"
    (folder / "databases").mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    (folder / "manifest.json").write_text(json.dumps(manifest()), encoding="utf-8")

    pack(folder, tmp_path / "stack.tar")
    found = unpack(tmp_path / "stack.tar", tmp_path / "out")

    assert (tmp_path / "out" / NAME).read_bytes() == CONTENT
    assert found == parse_manifest((folder / "manifest.json").read_bytes(), "it")


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([member("../../escaped")], id="a name above"),
        pytest.param([member("/etc/escaped")], id="an absolute name"),
        pytest.param([member("unlisted")], id="a file that is not listed"),
        pytest.param([member(), member()], id="one file twice"),
        pytest.param([member(type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0)], id="a symbolic link"),
        pytest.param([member(type=tarfile.LNKTYPE, linkname="manifest.json", size=0)], id="a hard link"),
        pytest.param([member(type=tarfile.FIFOTYPE, size=0)], id="a pipe"),
        pytest.param([member(type=tarfile.CHRTYPE, size=0)], id="a device"),
        pytest.param([member(type=tarfile.DIRTYPE, size=0)], id="a folder"),
        pytest.param([member(content=b"other row")], id="another content"),
        pytest.param([member(content=CONTENT + b"x")], id="another size"),
        pytest.param([], id="a missing file"),
    ],
)
def test_what_the_manifest_does_not_say_ends_the_reading(tmp_path, members):
    path = tar_of(tmp_path, *members)

    with pytest.raises(BackupError):
        unpack(path, tmp_path / "deep" / "out")

    assert {found.name for found in tmp_path.rglob("*") if found.is_file()} <= {
        "stack.tar", "manifest.json", "ledger.sqlite"
    }  # fmt: skip
    assert not any(found.is_symlink() for found in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x", "a//x", "", "manifest.json", "a\\x", "a/.hidden", "a\0b"])
def test_a_manifest_names_no_file_outside_the_backup(tmp_path, name):
    entry = manifest()["files"][NAME]
    path = tar_of(tmp_path, member(name or "x"), listed=manifest(files={NAME: entry, name: entry}))

    with pytest.raises(BackupError, match="no manifest of format 1"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(
    "changes",
    [{"format": 2}, {"more": 1}, {"made_at": "yesterday"}, {"aliases": {"photos": "../x"}}, {"files": {NAME: {}}}],
)
def test_a_manifest_that_says_more_less_or_nonsense_is_refused(changes):
    with pytest.raises(BackupError):
        parse_manifest(json.dumps(manifest(**changes)).encode(), "it")


def test_other_files_are_no_stack(tmp_path):
    for number, content in enumerate([b"", b"x" * 5000, b"PK\x03\x04"]):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(content)
        with pytest.raises(BackupError):
            unpack(path, tmp_path / f"out{number}")


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path = tar_of(tmp_path, member())
    content = path.read_bytes()
    for end in (300, 700, 1024, content.index(CONTENT) + 4):
        path.write_bytes(content[:end])
        with pytest.raises(BackupError):
            unpack(path, tmp_path / f"out{end}")


def test_more_than_the_disk_holds_is_not_begun(tmp_path):
    entry = {"size_bytes": 1 << 60, "sha256": "0" * 64}
    path = tar_of(tmp_path, listed=manifest(files={NAME: entry}))

    with pytest.raises(BackupError, match="are free"):
        unpack(path, tmp_path / "out")
