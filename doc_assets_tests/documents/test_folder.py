import os
from pathlib import Path

import pytest

from doc_assets.documents.folder import list_documents
from doc_assets.errors import FolderUnreachableError


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"II*")


def test_documents_are_listed_at_every_depth_with_size_and_time(tmp_path):
    _touch(tmp_path, "a.tif", "하위/b.TIFF", "하위/deep/c.tif", "d.jpg", "@eaDir/e.tif", ".trash/f.tif")

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
