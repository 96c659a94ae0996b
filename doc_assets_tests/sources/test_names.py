import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doc_assets.sources.names import (
    display_name,
    document_id,
    is_document_name,
    is_ignored_folder,
    real_path,
    stored_path,
)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a.tif", True), ("A.TIFF", True), ("가맹점.TiF", True), ("=1+1.tif", True), ("-rf.tif", True),
        ("a.tif.part", False), ("a.JPG", True), ("a.pdf", True), ("a.txt", False), ("tif", False),
        (".a.tif", False), ("._a.tif", False), ("~$a.tif", False), ("a.part", False), ("Thumbs.db", False),
    ],
)  # fmt: skip
def test_documents_are_told_by_name_and_unfinished_files_are_not_taken(name, taken):
    assert is_document_name(name) == taken


def test_further_patterns_can_be_ignored():
    assert not is_document_name("draft_1.tif", ["draft_*"])
    assert is_ignored_folder("@eaDir")
    assert is_ignored_folder("old", ["old"])


def test_a_document_is_called_by_its_composed_stem():
    decomposed = unicodedata.normalize("NFD", "가맹점") + ".TIF"

    assert document_id(decomposed) == "가맹점"
    assert document_id("a.tif.tiff") == "a.tif"


@given(
    st.binary(min_size=1, max_size=60).filter(
        lambda name: b"\0" not in name and b"/" not in name and name not in {b".", b".."}
    )
)
def test_any_name_on_disk_can_be_stored_shown_and_found_again(raw):
    name = os.fsdecode(b"/inbox/" + raw)

    stored = stored_path(name)

    stored.encode("utf-8")
    display_name(os.fsdecode(raw)).encode("utf-8")
    assert os.fsencode(real_path(stored)) == os.fsencode(name)


def test_half_a_surrogate_pair_is_shown_and_breaks_nothing():
    assert display_name("a\ud800.tif") == "a\\ud800.tif"
