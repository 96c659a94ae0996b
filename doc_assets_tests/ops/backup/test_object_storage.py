"""Documents and tables in object storage: copied, referred to, and brought into an empty prefix."""

import json
import os
import shutil
from pathlib import Path

import pytest

from doc_assets.ops.home import BULK_FOLDERS
from doc_assets_tests.sources.test_s3 import bucket

pytestmark = pytest.mark.slow

__all__ = ["bucket"]


def test_documents_in_a_bucket_are_saved_and_brought_back(bucket, place):
    for stage in BULK_FOLDERS:
        for path in (place.home / stage).rglob("*"):
            if path.is_file():
                bucket.upload_file(str(path), "archive", f"home/{path.relative_to(place.home).as_posix()}")
        shutil.rmtree(place.home / stage, ignore_errors=True)
    place.environment |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    place.environment["DOC_ASSETS_BULK_ROOT"] = "s3://archive/home"
    place.is_process = True  # a process keeps what it has read of a store, and the archive's objects never change
    before = place.counts()
    place.done("check", "--read-data")

    copied = place.backup()
    referring = Path(json.loads(place.done("backup", "--to", place.folder / "r", "--reference", "--json"))["folder"])
    place.done("verify-backup", copied)
    place.done("verify-backup", referring)

    shutil.rmtree(place.home)
    place.environment["DOC_ASSETS_BULK_ROOT"] = "s3://archive/other"
    place.restore(copied)
    assert place.counts() == before
    place.done("check", "--read-data")

    (victim,) = bucket.list_objects_v2(Bucket="archive", Prefix="other/photos/", MaxKeys=1)["Contents"]
    bucket.put_object(Bucket="archive", Key=victim["Key"], Body=b"something else")
    refused = place.run("restore", copied, "--yes-restore-into", "home")
    assert (refused.returncode, "Restore into an empty prefix" in refused.stderr) == (2, True)
    bucket.delete_object(Bucket="archive", Key=victim["Key"].replace("other/", "home/"))
    assert place.run("verify-backup", referring).returncode == 1
