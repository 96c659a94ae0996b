"""A collection that lost points, or is gone, is never searched as if it were the whole archive."""

import json
import shutil

import pytest

from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.ops.doctor.home import check_store
from doc_assets.settings import Settings


def _lose(place, n):
    identity = json.loads((place.home / "identity.json").read_text(encoding="utf-8"))["id"]
    with EmbeddedStore(place.home / "qdrant", home=identity) as store:
        collection = store.resolve("photos")
        store.delete(collection, [point for point, _ in list(store.scan(collection))[:n]])
        store.finish(collection)
        return store.count(collection)


@pytest.fixture
def own(place):
    return place, Settings(home=place.home)


@pytest.mark.slow
def test_what_a_collection_lacks_is_told_and_rebuild_index_mends_it(own, drawn):
    place, settings = own
    total = place.counts()["points"]
    left = _lose(place, 7)
    assert left == total - 7

    query = sorted((drawn / "incoming").iterdir())[0]
    searched = place.run("search-doc", "--file", query, "--output-folder", place.folder / "out")
    assert searched.returncode == 1
    assert f"7 of {total} photos that the ledger counts are not searchable" in searched.stdout + searched.stderr
    summary = json.loads((place.folder / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    assert summary["global"]["incomplete"].startswith(f"The collection is incomplete: 7 of {total}")
    assert "not searchable" in (place.folder / "out" / "report.html").read_text(encoding="utf-8")
    screened = place.run("screen", "--all")
    assert (screened.returncode, "not searchable" in screened.stdout) == (1, True), screened
    more = place.folder / "more"
    more.mkdir()
    shutil.copy(query, more)
    dropped = place.run("build-image-index", "--folder", more)
    assert (dropped.returncode, "rebuild-index" in dropped.stdout) == (1, True), dropped
    assert check_store(settings).level == "red"
    assert "INCOMPLETE" in place.done("status")

    place.done("rebuild-index")

    place.done("search-doc", "--file", query, "--output-folder", place.folder / "out")
    summary = json.loads((place.folder / "out" / "search_results_summary.json").read_text(encoding="utf-8"))
    assert summary["global"]["incomplete"] is None
    assert check_store(settings).level == "green"


@pytest.mark.parametrize("lost", ["folder", "collection", "alias"])
def test_a_lost_collection_is_no_empty_archive(own, drawn, lost):
    place, settings = own
    qdrant = place.home / "qdrant"
    if lost == "folder":
        shutil.rmtree(qdrant)
    elif lost == "collection":
        shutil.rmtree(next(path for path in qdrant.iterdir() if path.name.startswith("photos__")))
    else:
        (qdrant / "aliases.json").unlink()

    query = sorted((drawn / "incoming").iterdir())[0]
    searched = place.run("search-doc", "--file", query, "--output-folder", place.folder / "out")

    assert searched.returncode == 1
    said = searched.stdout + searched.stderr
    assert "The collection is lost" in said
    assert "rebuild-index" in said
    assert "empty" not in said
    assert not (place.folder / "out" / "search_results_summary.json").exists()
    found = check_store(settings)
    assert (found.level, "rebuild-index" in found.fix) == ("red", True)
