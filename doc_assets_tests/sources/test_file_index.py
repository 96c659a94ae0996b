import os
import shutil

import pytest
from upath import UPath

from doc_assets.errors import FolderUnreachableError
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import KeyState, Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyRow

OLD_NS = 1_700_000_000_000_000_000


def _put(folder, *names, content=b"II*"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)


def _settle(root):
    """As if nothing had changed below ``root`` for years: times within two seconds are looked at again."""
    for folder, _, _ in os.walk(root):
        os.utime(folder, ns=(OLD_NS, OLD_NS))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    _put(root, "N7THA00100001_12.tif", "plain.TIF")
    _put(root / "2024" / "01", "N7THA00100001_13.tif", "N8THA00100001_1.tiff", "note.txt", ".hidden.tif")
    _put(root / "@eaDir", "N7THA00100001_99.tif")
    _settle(root)
    return root


@pytest.fixture
def index(tmp_path):
    with FileIndex(tmp_path / "index.sqlite") as opened:
        yield opened


def _resolve(index, *keys, roots, **options):
    resolver = Resolver(index, tuple(UPath(root) for root in roots), NameRule(), **options)
    return list(resolver.resolve(KeyRow(line, key) for line, key in enumerate(keys, start=2)))


def test_all_files_of_a_key_are_found_at_every_depth(index, tree):
    report = index.refresh([UPath(tree)])
    found, exact, missing = _resolve(index, "n7THA00001", "plain", "N9THA00001", roots=[tree])

    assert (report.files, report.folders, report.listed) == (4, 3, 3)
    assert [path.rpartition("/")[2] for path in found.files] == ["N7THA00100001_12.tif", "N7THA00100001_13.tif"]
    assert exact.files == (str(tree / "plain.TIF"),)
    assert (missing.state, missing.files) == (KeyState.MISSING, ())
    assert missing.tried == ("N9THA00001", "N9THA00100001_*", "N9THA00001_*", "N9THA00100001")
    assert str(tree) in missing.reason


def test_root_level_only_leaves_subfolders_out(index, tree):
    index.refresh([UPath(tree)])

    (found,) = _resolve(index, "N7THA00001", roots=[tree], any_depth=False)

    assert found.files == (str(tree / "N7THA00100001_12.tif"),)


def test_only_folders_that_changed_are_listed_again(index, tree):
    index.refresh([UPath(tree)])
    again = index.refresh([UPath(tree)])
    _put(tree / "2024" / "01", "N9THA00100001_1.tif")
    (tree / "2024" / "01" / "N8THA00100001_1.tiff").unlink()
    after = index.refresh([UPath(tree)])
    new, gone = _resolve(index, "N9THA00001", "N8THA00001", roots=[tree])

    assert (again.listed, after.listed) == (0, 1)
    assert (new.state, gone.state) == (KeyState.FOUND, KeyState.MISSING)


def test_a_folder_that_just_changed_is_looked_at_again(index, tmp_path):
    _put(tmp_path / "root", "a.tif")
    index.refresh([UPath(tmp_path / "root")])
    _put(tmp_path / "root", "b.tif")  # perhaps within the same tick of the file system's clock
    stat = (tmp_path / "root").stat()
    os.utime(tmp_path / "root", ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert index.refresh([UPath(tmp_path / "root")]).files == 2


def test_folders_that_are_gone_are_forgotten_with_all_below(index, tree):
    index.refresh([UPath(tree)])
    shutil.rmtree(tree / "2024")

    assert index.refresh([UPath(tree)]).files == 2


def test_a_root_that_is_gone_is_an_error_and_forgets_nothing(index, tree):
    index.refresh([UPath(tree)])
    tree.rename(tree.with_name("moved"))

    with pytest.raises(FolderUnreachableError, match="mounted"):
        index.refresh([UPath(tree)])
    assert _resolve(index, "plain", roots=[tree])[0].state is KeyState.FOUND


def test_the_same_name_in_two_places_counts_once_if_the_bytes_agree(index, tmp_path):
    _put(tmp_path / "a", "K_1.tif", "L_1.tif")
    _put(tmp_path / "b", "K_1.tif")
    _put(tmp_path / "b", "L_1.TIF", content=b"II* another")
    roots = [tmp_path / "a", tmp_path / "b"]
    index.refresh([UPath(root) for root in roots])

    same, other = _resolve(index, "K", "L", roots=roots)

    assert (same.state, same.files) == (KeyState.FOUND, (str(tmp_path / "a" / "K_1.tif"),))
    assert (other.state, len(other.files)) == (KeyState.AMBIGUOUS, 2)
    assert "2 different files are called l_1" in other.reason


def test_roots_are_searched_only_where_asked(index, tmp_path):
    _put(tmp_path / "a", "K.tif")
    _put(tmp_path / "b", "L.tif")
    index.refresh([UPath(tmp_path / "a"), UPath(tmp_path / "b")])

    found, other = _resolve(index, "K", "L", roots=[tmp_path / "a"])

    assert (found.state, other.state) == (KeyState.FOUND, KeyState.MISSING)


@pytest.mark.parametrize("key", ["*", "../plain", "N7THA001000?1", "[p]lain", "plain\0", "", "%", "_", "/etc/passwd"])
def test_hostile_keys_find_nothing(index, tree, key):
    index.refresh([UPath(tree)])

    (found,) = _resolve(index, key, roots=[tree])

    assert found.state is KeyState.MISSING


def test_names_that_are_no_utf8_are_found(index, tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    name = os.fsdecode(b"K\xff_1.tif")
    (folder / name).write_bytes(b"II*")
    index.refresh([UPath(folder)])

    (found,) = _resolve(index, "K\\xff", roots=[folder])

    assert found.state is KeyState.FOUND
    assert found.files[0].startswith("bytes:")


def test_a_damaged_index_is_made_anew(tmp_path, tree):
    (tmp_path / "index.sqlite").write_bytes(b"garbage" * 1000)

    with FileIndex(tmp_path / "index.sqlite") as opened:
        assert opened.refresh([UPath(tree)]).files == 4


def test_objects_of_a_store_are_found(index):
    root = UPath("memory://bucket/archive")
    for name in ("N7THA00100001_1.tif", "deep/N7THA00100001_2.tif", "deep/x.txt"):
        (root / name).write_bytes(b"II*")

    report = index.refresh([root])
    (found,) = _resolve(index, "N7THA00001", roots=[root])
    (top,) = _resolve(index, "N7THA00001", roots=[root], any_depth=False)

    assert report.files == 2
    assert found.files == (
        "memory://bucket/archive/N7THA00100001_1.tif",
        "memory://bucket/archive/deep/N7THA00100001_2.tif",
    )
    assert top.files == ("memory://bucket/archive/N7THA00100001_1.tif",)
