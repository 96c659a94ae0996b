import shutil

import pytest

from doc_assets_tests.pipeline.pipeline import opened


@pytest.fixture
def filled(filled_root, reader, cutter, embedder, describer, tmp_path):
    """A pipeline that took in the corpus' archive documents as one drop, in chunks of three."""
    root = shutil.copytree(filled_root, tmp_path / "filled")
    with opened(root, reader, cutter, embedder, describer) as made:
        yield made


@pytest.fixture
def drop(filled):
    """The drop it took in."""
    (key,) = filled.archive.ledger.intake.drop_keys()
    return key
