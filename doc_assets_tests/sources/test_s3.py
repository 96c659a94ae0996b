"""Folders in object storage, against an S3 server of the test's own."""

import os
import subprocess

import pytest

from doc_assets.errors import FolderUnreachableError, SettingsError, UnreadableDocumentError
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.folders import opened_folder
from doc_assets.sources.key_lookup import Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyTable
from doc_assets.sources.sources import FolderSource, KeyedFolders, KeyProblem
from doc_assets.sources.staging import read_origin
from doc_assets_tests.conftest import NOW
from doc_assets_tests.program import PROGRAM

pytestmark = pytest.mark.whole

NAMES = (
    "scans/N1THA00100001_1.tif", "scans/2024/N2THA00100001_1.TIF", "scans/2024/N2THA00100001_2.tif",
    "scans/.trash/N3THA00100001_1.tif", "scans/2024/notes.txt", "scans2/N4THA00100001_1.tif", "scans/odd #1?50%.tif",
    "scans/x#sha256=" + "a" * 64 + ".tif",
)  # fmt: skip


@pytest.fixture
def bucket(monkeypatch):
    """A bucket with some objects; returns the client that fills it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    import boto3
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="archive")
    for name in NAMES:
        client.put_object(Bucket="archive", Key=name, Body=b"II*\0" + name.encode())
    yield client
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def _labels(address, *, recursive=True):
    return [file.label for file in FolderSource(opened_folder(address), recursive).files()]


def test_a_folder_is_listed_and_read(bucket):
    found = _labels("s3://archive/scans/")

    assert sorted(found) == sorted(
        name.removeprefix("scans/")
        for name in NAMES
        if name.startswith("scans/") and name.lower().endswith(".tif") and ".trash" not in name
    )
    assert "2024/N2THA00100001_1.TIF" not in _labels("s3://archive/scans", recursive=False)
    for file in FolderSource(opened_folder("s3://archive/scans")).files():
        fetched = file.fetch(1000)
        assert fetched.content == b"II*\0scans/" + file.label.encode()
        assert file.stat.size_bytes == len(fetched.content)
        with pytest.raises(UnreadableDocumentError) as caught:
            file.fetch(5)
        assert caught.value.code == "E_FILE_TOO_LARGE"


def test_new_objects_are_seen_and_gone_ones_are_missed(bucket):
    assert len(_labels("s3://archive/scans")) == 5
    bucket.put_object(Bucket="archive", Key="scans/new.tif", Body=b"II*")
    assert len(_labels("s3://archive/scans")) == 6
    assert "new.tif" in _labels("s3://archive/scans", recursive=False)

    (file,) = [file for file in FolderSource(opened_folder("s3://archive/scans")).files() if file.label == "new.tif"]
    bucket.delete_object(Bucket="archive", Key="scans/new.tif")
    with pytest.raises(UnreadableDocumentError) as caught:
        file.fetch(1000)
    assert caught.value.code == "E_GONE"


@pytest.mark.parametrize("address", ["s3://archive/nothing", "s3://no-such-bucket", "s3://no-such-bucket/scans"])
def test_what_is_not_there_is_never_an_empty_folder(bucket, tmp_path, address):
    with pytest.raises(FolderUnreachableError, match="cannot be listed"):
        _labels(address)
    with FileIndex(tmp_path / "index.sqlite") as index, pytest.raises(FolderUnreachableError):
        index.refresh([opened_folder(address)])


def test_a_store_that_does_not_answer_is_said_so(bucket, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(FolderUnreachableError, match="cannot be listed"):
        _labels("s3://archive/scans")
    with pytest.raises(UnreadableDocumentError):
        read_origin("s3://archive/scans/N1THA00100001_1.tif", opened_folder("/nonexistent"), 1000)


def test_a_store_without_a_driver_is_a_wrong_setting():
    for address in ("nostore://bucket/x", "gs://bucket/x"):
        with pytest.raises(SettingsError, match="cannot be opened"):
            opened_folder(address)


def test_keys_are_found_and_sealed_once(bucket, archive, tmp_path):
    (tmp_path / "keys.csv").write_text("파일명\nN1THA00001\nN2THA00001\nN3THA00001\nN4THA00001\n", encoding="utf-8")
    roots = (opened_folder("s3://archive/scans"),)
    with KeyTable.read(tmp_path / "keys.csv") as table, FileIndex(tmp_path / "index.sqlite") as index:
        index.refresh(roots)
        source = KeyedFolders(table, Resolver(index, roots, NameRule()))
        done = seal_source(archive, source, NOW, SealingRules())
        problems = [given.row.key for given in source.files() if isinstance(given, KeyProblem)]
        again = seal_source(archive, FolderSource(roots[0]), NOW, SealingRules())

    assert [origin.rpartition("/")[2] for origin in done.origins] == [
        "N1THA00100001_1.tif", "N2THA00100001_1.TIF", "N2THA00100001_2.tif",
    ]  # fmt: skip
    assert problems == ["N3THA00001", "N4THA00001"]
    # The folder's own listing says the same of them: only what the keys did not name is new.
    documents = archive.ledger.documents.of_chunk(again.sealed[0], range(10))
    assert {document.file_name for document in documents} == {"odd #1?50%.tif", "x#sha256=" + "a" * 64 + ".tif"}


@pytest.mark.slow
def test_a_bucket_is_ingested_by_the_command(bucket, corpus, tmp_path):
    paths = sorted((corpus / "archive").glob("*.tif"))[:3]
    for path in paths:
        bucket.upload_file(str(path), "archive", f"drawn/deep/{path.name}")

    done = subprocess.run(
        [PROGRAM, "build-image-index", "--folder", "s3://archive/drawn", "--recursive"],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 documents, 1 new drops; 3 ok" in done.stdout
