"""Two documents of the archive compared by what is stored of them."""

from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from benchmarks.drawing.scenes import draw_scene
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.errors import SetupError
from doc_assets.pipeline.comparing import Comparer, Limits
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.describing import describe_drop
from doc_assets.pipeline.reading import read_drop
from doc_assets.runtime import Runtime
from doc_assets.search.matching import Verifier
from doc_assets.settings import Settings
from doc_assets_tests.conftest import NOW
from doc_assets_tests.once import once

pytestmark = pytest.mark.whole


def _grey(photo):
    return np.repeat(photo.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def _page(path, *photos):
    page = np.full((1170, 830, 3), 255, np.uint8)
    for photo, (top, width) in zip(photos, ((90, 620), (600, 540)), strict=True):
        page[top : top + 400, 100 : 100 + width] = np.asarray(Image.fromarray(photo).resize((width, 400)))
    Image.fromarray(page).save(path, dpi=(100, 100), compression="tiff_deflate")
    stat = path.stat()
    return ArrivedFile(str(path), path.name, path.stem, stat.st_size, stat.st_mtime_ns, f"m-{path.stem}")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three documents: two of one shop front, the second made grey and mirrored; one of other scenes."""

    def made(folder):
        shop, shelf, street, room = (
            np.ascontiguousarray(draw_scene(seed, 0, 640, kind=kind)[:, :640])
            for seed, kind in ((3, "shelf"), (4, "shelf"), (5, "shelf"), (6, "shelf"))
        )
        settings = Settings(home=folder / "home", log_dir=folder / "log")
        runtime = Runtime(settings)
        inbox = folder / "in"
        inbox.mkdir(parents=True)
        files = [
            _page(inbox / "one.tif", shop, shelf),
            _page(inbox / "two.tif", _grey(shop)[:, ::-1], street),
            _page(inbox / "other.tif", room, _grey(street)),
        ]
        with runtime.archive() as archive, runtime.reader() as reader:
            drop = archive.ledger.intake.seal(files, source="test", now=NOW + timedelta(days=1), chunk_documents=4)
            read_drop(archive, reader, drop, NOW)
            cutter = runtime.cutter()
            cut_drop(archive, reader, cutter, drop, NOW)
            describe_drop(archive, runtime.describer(), 1, cutter.version, drop, NOW)

    return once(tmp_path_factory, "comparing", made) / "home"


@pytest.fixture
def compare(home):
    """Compares two documents of the home by their names."""
    runtime = Runtime(Settings(home=home))
    with runtime.archive() as archive:
        verifier = Verifier.of(archive, runtime.describer().features_id, runtime.pair_model(None))

        def compared(own, other, **limits):
            documents = archive.ledger.documents.current_with_ids([own, other])
            comparer = Comparer(archive, verifier, "none", runtime.request().thresholds, Limits(**limits))
            return comparer.compare(documents[own], documents[other])

        yield compared


def test_the_pair_that_shows_one_photograph_comes_first_with_what_was_done_to_it(compare):
    found = compare("two", "one")

    assert (found.n_possible, len(found.pairs), found.faults) == (4, 4, ())
    best, *rest = found.pairs
    assert (best.query_photo, best.photo, best.kind) == (0, 0, "same_photograph")
    assert (best.mirrored, best.colours) == (True, "lost")
    assert best.transform is not None
    assert all(not pair.matched for pair in rest)
    assert compare("one", "two").pairs[0].colours == "gained"


def test_documents_of_other_scenes_have_no_pair_that_matches(compare):
    found = compare("one", "other")

    assert len(found.pairs) == 4
    assert not any(pair.matched for pair in found.pairs)


def test_no_more_is_looked_at_than_the_limits_allow(compare):
    assert len(compare("one", "two", pairs=3).pairs) == 3
    assert compare("one", "two", seconds=-1).pairs == ()


def test_what_is_gone_is_named(home, compare, tmp_path):
    (table,) = (home / "local_features").rglob("*.parquet")
    table.rename(tmp_path / "kept")
    try:
        with pytest.raises(SetupError, match="local_features"):
            compare("one", "other")
    finally:
        (tmp_path / "kept").rename(table)
