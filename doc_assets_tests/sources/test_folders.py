import os
from pathlib import Path

import pytest

from doc_assets.errors import FolderUnreachableError
from doc_assets.sources.folders import list_documents


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"II*")


def test_documents_are_listed_at_every_depth_with_size_and_time(tmp_path):
    _touch(tmp_path, "a.tif", "하위/b.TIFF", "하위/deep/c.tif", "d.txt", "@eaDir/e.tif", ".trash/f.tif")

    found = list_documents(tmp_path).files

    assert sorted(Path(path).name for path in found) == ["a.tif", "b.TIFF", "c.tif"]
    assert found[str(tmp_path / "a.tif")].size_bytes == 3
    assert found[str(tmp_path / "a.tif")].mtime_ns == (tmp_path / "a.tif").stat().st_mtime_ns
    assert sorted(Path(path).name for path in list_documents(tmp_path, recursive=False).files) == ["a.tif"]


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    _touch(outside, "secret.tif")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "link.tif").symlink_to(outside / "secret.tif")
    (inbox / "folder").symlink_to(outside)

    assert list_documents(inbox).files == {}


def test_a_missing_folder_is_an_error_not_an_empty_folder(tmp_path):
    with pytest.raises(FolderUnreachableError, match="Nothing was concluded"):
        list_documents(tmp_path / "gone")


def test_a_forbidden_subfolder_hides_its_files_only(tmp_path, monkeypatch):
    _touch(tmp_path, "a.tif", "closed/b.tif")
    scandir = os.scandir

    def forbid(path):  # tests may run as root, whom no permission bit stops
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbid)

    listing = list_documents(tmp_path)

    assert [Path(path).name for path in listing.files] == ["a.tif"]
    assert listing.may_hide(str(tmp_path / "closed" / "b.tif"))
    assert not listing.may_hide(str(tmp_path / "b.tif"))


def test_what_is_ignored_is_named_with_its_reason(tmp_path):
    _touch(tmp_path, "a.tif", "b.PDF", "c.docx", "d", "e.tif.part", "~$f.tif", "@eaDir/g.tif", "sub/h.tif")
    _touch(tmp_path, "draft_i.tif")
    (tmp_path / "link.tif").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.tif")

    found = list_documents(tmp_path, recursive=False, ignore=["draft_*"])

    assert sorted(Path(path).name for path in found.files) == ["a.tif", "b.PDF"]
    assert {Path(path).name: reason for path, reason in found.ignored.reasons.items()} == {
        "c.docx": "no document by its ending .docx",
        "d": "no document: it has no ending",
        "e.tif.part": "unfinished",
        "~$f.tif": "a system file",
        "@eaDir": "a hidden or system folder, not looked into",
        "sub": "a subfolder; --recursive looks into it",
        "draft_i.tif": "the pattern draft_* of DOC_ASSETS_INTAKE_IGNORE",
        "link.tif": "a link, which is not followed",
        "pipe.tif": "no regular file",
    }
