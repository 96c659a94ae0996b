import hashlib
import os
import threading
import time

import pytest
from upath import UPath

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import FaultCode
from doc_assets.sources.staging import read_stable, read_staged, stage, staged_path
from doc_assets.util.files import sha256_of

LIMIT = 1 << 20


def test_a_document_is_staged_once_under_its_digest(tmp_path):
    root, content = UPath(tmp_path), b"II* some bytes"
    digest = sha256_of(content)
    assert digest == hashlib.sha256(content).hexdigest()

    stage(root, digest, content)
    first = staged_path(root, digest).stat().st_ino
    stage(root, digest, content)

    assert staged_path(root, digest).stat().st_ino == first
    assert read_staged(root, digest) == content


def test_a_staged_copy_that_was_changed_or_removed_is_refused(tmp_path):
    root, content = UPath(tmp_path), b"II* some bytes"
    digest = sha256_of(content)
    stage(root, digest, content)
    staged_path(root, digest).write_bytes(b"II* other byte")

    with pytest.raises(UnreadableDocumentError, match="SHA-256") as error:
        read_staged(root, digest)
    assert error.value.code == FaultCode.DAMAGED

    staged_path(root, digest).unlink()
    with pytest.raises(UnreadableDocumentError, match="gone"):
        read_staged(root, digest)


def test_documents_can_be_staged_in_an_object_store():
    root, content = UPath("memory://archive"), b"II* some bytes"

    stage(root, sha256_of(content), content)

    assert read_staged(root, sha256_of(content)) == content


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda path: None, FaultCode.GONE),
        (lambda path: path.write_bytes(bytes(LIMIT + 1)), FaultCode.FILE_TOO_LARGE),
        (lambda path: path.symlink_to("/etc/hostname"), FaultCode.NOT_READABLE),
        (lambda path: path.mkdir(), FaultCode.NOT_READABLE),
        (os.mkfifo, FaultCode.NOT_READABLE),
    ],
)
def test_what_cannot_be_read_has_a_code(tmp_path, prepare, code):
    path = tmp_path / "a.tif"
    prepare(path)

    with pytest.raises(UnreadableDocumentError) as error:
        read_stable(path, LIMIT)

    assert error.value.code == code


@pytest.mark.whole
def test_a_file_that_keeps_growing_is_left_for_later(tmp_path):
    path = tmp_path / "a.tif"
    with path.open("wb") as target:
        target.truncate(64 << 20)  # takes longer to read than to append to
    stop = threading.Event()

    def grow():
        while not stop.is_set():
            with path.open("ab") as target:
                target.write(bytes(100))
            time.sleep(0.0001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        codes = set()
        for _ in range(5):
            try:
                read_stable(path, 1 << 30)
            except UnreadableDocumentError as error:
                codes.add(error.code)
    finally:
        stop.set()
        writer.join()

    assert codes == {FaultCode.CHANGING}
