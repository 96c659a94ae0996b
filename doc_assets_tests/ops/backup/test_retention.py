from datetime import UTC, datetime, timedelta

import pytest

from doc_assets.errors import BackupError
from doc_assets.ops.backup.manifest import Retention, backups_in, drop_old, find_backup, name_of

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def root(tmp_path):
    """Ten backups, one a day, the newest of today; and folders that are none."""
    for days in range(10):
        folder = tmp_path / name_of(NOW - timedelta(days=days))
        folder.mkdir()
        (folder / "manifest.json").write_text("{}", encoding="utf-8")
    for other in ("photos of 2024", "20261101T000000Z", ".20261101T000000Z.partial"):
        (tmp_path / other).mkdir()
    (tmp_path / "20261102T000000Z").symlink_to(tmp_path / "photos of 2024")
    return tmp_path


def _ages(root):
    return [(NOW.date() - datetime.strptime(path.name, "%Y%m%dT%H%M%SZ").date()).days for path in backups_in(root)]  # noqa: DTZ007


@pytest.mark.parametrize(
    ("retention", "stays"),
    [
        (Retention(), 10),
        (Retention(n=3), 3),
        (Retention(days=4), 5),
        (Retention(n=8, days=4), 5),
        (Retention(n=2, days=4), 2),
        (Retention(n=99), 10),
    ],
)
def test_the_newest_stay(root, retention, stays):
    gone = drop_old(root, retention, NOW)

    assert _ages(root) == list(reversed(range(stays)))
    assert len(gone) == 10 - stays
    assert (root / "photos of 2024").is_dir()
    assert (root / "20261101T000000Z").is_dir()


def test_the_last_one_stays_however_old_it_is(root):
    drop_old(root, Retention(days=1), NOW + timedelta(days=400))

    assert _ages(root) == [0]


def test_a_folder_of_backups_stands_for_its_newest(root):
    assert find_backup(root) == root / name_of(NOW)
    assert find_backup(root / name_of(NOW - timedelta(days=3))).name == name_of(NOW - timedelta(days=3))
    with pytest.raises(BackupError, match="no backup and holds none"):
        find_backup(root / "photos of 2024")
