import json
import shutil

import numpy as np
import pytest

from doc_assets.datatypes import N_VIEWS, View
from doc_assets.errors import MissingModelError
from doc_assets.features.embedders.base import make_embedder
from doc_assets.features.embedders.gist import RAW_DIM, WEIGHTS_DIR, GistBank, describe, prepare, turned
from doc_assets.features.weight_files import MANIFEST, save_weights
from doc_assets.lab.attacks import ATTACKS, TURNING, attack
from doc_assets.lab.pictures import draw_picture

FRESH = range(3_000_000, 3_000_040)  # pictures that the weights were not fitted on


@pytest.mark.whole
def test_turning_energies_is_turning_the_photo():
    import torch

    bank, photo = GistBank("cpu"), draw_picture(7, 300)
    energies = bank.energies(prepare(photo)[None])

    for i in range(N_VIEWS):
        view = View.at(i)
        direct = describe(bank.energies(prepare(view.apply(photo))[None]))
        torch.testing.assert_close(describe(turned(energies, view)), direct, atol=5e-3, rtol=0)
    assert describe(energies).shape == (1, RAW_DIM)


def test_light_and_contrast_hardly_matter():
    embedder = make_embedder("gist", {}, device="cpu", batch_size=8)
    photo = draw_picture(8)
    changed = np.clip(photo * 0.6 + 20, 0, 255).astype(np.uint8)

    first, second = embedder.embed([photo, changed])

    assert first @ second > 0.9


@pytest.mark.whole
def test_attacked_pictures_find_their_original(embedder):
    originals = [draw_picture(number) for number in FRESH]
    gallery = embedder.embed(originals)
    names = [name for name in ATTACKS if name != "cropped by half"]

    found = {}
    for name in names:
        queries = [attack(name, photo, i) for i, photo in enumerate(originals[:10])]
        similarity = (embedder.embed_views(queries) @ gallery.T).max(axis=1)
        found[name] = float((similarity.argmax(axis=1) == np.arange(10)).mean())

    assert np.mean(list(found.values())) >= 0.95
    assert all(found[name] == 1.0 for name in [*TURNING, "recompressed", "shrunk", "grey", "tone changed"])


def test_the_shipped_weights_are_small_and_match_their_manifest():
    manifest = json.loads((WEIGHTS_DIR / MANIFEST).read_text(encoding="utf-8"))

    assert set(manifest) == {path.name for path in WEIGHTS_DIR.glob("*.safetensors")}
    assert sum(entry["bytes"] for entry in manifest.values()) < 20 << 20
    assert all(entry["how_made"]["command"] == "doc-assets fit-embedder" for entry in manifest.values())


def test_exchanged_missing_or_foreign_weights_are_refused(tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS_DIR, folder)
    weights = folder / "gist.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\7")
    options = {"weights": str(weights)}
    with pytest.raises(MissingModelError, match="SHA-256"):
        make_embedder("gist", options, device="cpu", batch_size=1)

    weights.unlink()
    with pytest.raises(MissingModelError, match="missing"):
        make_embedder("gist", options, device="cpu", batch_size=1)

    save_weights(weights, {"mean": np.zeros(3, np.float32)}, {"command": "a test"})
    with pytest.raises(MissingModelError, match="projection"):
        make_embedder("gist", options, device="cpu", batch_size=1)
