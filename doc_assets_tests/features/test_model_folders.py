import json
import os
import pickle
import shutil

import pytest

from doc_assets.errors import MissingModelError, SetupError
from doc_assets.features.embedders.base import make_embedder
from doc_assets.features.model_folders import (
    MANIFEST,
    add_folder,
    differences,
    model_names,
    read_manifest,
    resolve_checkpoint,
)
from doc_assets_tests.conftest import NOW
from doc_assets_tests.features.embedders.tiny_encoders import save_vit


@pytest.fixture
def vit(tmp_path):
    return save_vit(tmp_path / "vit")


@pytest.fixture
def models(tmp_path):
    return tmp_path / "home" / "models"


def test_an_added_model_has_a_manifest_and_embeds_by_its_name(vit, models):
    (vit / "README.md").write_text("about", encoding="utf-8")

    added = add_folder(models, vit, "small-vit", str(vit), NOW)

    assert added.is_new
    assert added.left_out == ("README.md",)
    assert model_names(models) == ["small-vit"]
    assert differences(models / "small-vit") == []
    manifest = read_manifest(models / "small-vit")
    assert manifest == added.model
    assert (manifest.source, manifest.added_at) == (str(vit), "2026-11-21T09:30:00+00:00")
    assert {file.path for file in manifest.files} >= {"config.json", "model.safetensors"}
    options = resolve_checkpoint({"checkpoint": "small-vit", "pooling": "cls"}, models)
    assert options == {"checkpoint": str(models / "small-vit"), "pooling": "cls"}
    by_name = make_embedder("transformers", options, device="cpu", batch_size=1)
    by_path = make_embedder("transformers", {"checkpoint": str(vit), "pooling": "cls"}, device="cpu", batch_size=1)
    assert by_name.embedder_id == by_path.embedder_id


def test_paths_hub_ids_and_unknown_names_are_left_as_they_are(models):
    for options in ({"checkpoint": "/a/b"}, {"checkpoint": "a/b"}, {"checkpoint": "none"}, {"checkpoint": ".."}, {}):
        assert resolve_checkpoint(options, models) == options


def test_adding_the_same_again_changes_nothing_and_another_of_that_name_is_refused(vit, models, tmp_path):
    add_folder(models, vit, "vit", "first", NOW)

    assert not add_folder(models, vit, "vit", "second", NOW).is_new
    assert read_manifest(models / "vit").source == "first"
    with pytest.raises(SetupError, match="another model 'vit'"):
        add_folder(models, save_vit(tmp_path / "other", seed=1), "vit", "other", NOW)
    assert differences(models / "vit") == []


class Payload:
    def __reduce__(self):
        return os.mkdir, ("/tmp/doc-assets-was-here",)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a/b.pt", "x.PTH", "x.ckpt", "x.pkl"])
def test_a_folder_with_weights_that_can_run_code_is_refused_and_nothing_is_left(vit, models, name):
    (vit / name).parent.mkdir(exist_ok=True)
    (vit / name).write_bytes(pickle.dumps(Payload()))

    with pytest.raises(MissingModelError, match=name.rsplit("/", 1)[-1]):
        add_folder(models, vit, "vit", "here", NOW)

    assert not models.exists() or [path.name for path in models.iterdir()] in ([], [".lock"])


def test_a_pickle_under_a_safe_name_and_broken_json_are_refused(vit, models):
    (vit / "more.safetensors").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(MissingModelError, match=r"more\.safetensors"):
        add_folder(models, vit, "vit", "here", NOW)
    (vit / "more.safetensors").unlink()
    (vit / "extra.json").write_text("{" * 100_000, encoding="utf-8")
    with pytest.raises(MissingModelError, match=r"extra\.json"):
        add_folder(models, vit, "vit", "here", NOW)

    assert model_names(models) == []
    assert [path.name for path in models.iterdir()] == [".lock"]


def test_links_to_files_and_folders_outside_are_refused(vit, models, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "passwords.txt").write_text("hunter2", encoding="utf-8")
    for link, target in (("notes.txt", tmp_path / "secret" / "passwords.txt"), ("sub", tmp_path / "secret")):
        (vit / link).symlink_to(target)
        with pytest.raises(MissingModelError, match="link"):
            add_folder(models, vit, "vit", "here", NOW)
        (vit / link).unlink()
    (tmp_path / "linked").symlink_to(vit)
    with pytest.raises(MissingModelError, match="no folder"):
        add_folder(models, tmp_path / "linked", "vit", "here", NOW)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "/etc", "a\nb", "x" * 101])
def test_a_name_cannot_lead_out_of_the_models_folder(vit, models, name):
    with pytest.raises(SetupError, match="name"):
        add_folder(models, vit, name, "here", NOW)


def test_changed_missing_and_added_files_are_found(vit, models):
    add_folder(models, vit, "vit", "here", NOW)
    folder = models / "vit"
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    assert differences(folder, read_content=False) == []
    (changed,) = differences(folder)
    assert "model.safetensors has SHA-256" in changed
    weights.unlink()
    (folder / "late.bin").write_bytes(b"x")
    assert differences(folder) == ["vit: model.safetensors is missing", "vit: late.bin was put there later"]
    (folder / MANIFEST).write_text("[]", encoding="utf-8")
    assert "damaged" in differences(folder)[0]


def test_a_copy_for_another_home_keeps_its_origin_and_must_be_whole(vit, models, tmp_path):
    add_folder(models, vit, "vit", "hub:owner/vit@0123", NOW)
    stick = shutil.copytree(models / "vit", tmp_path / "stick")
    elsewhere = tmp_path / "elsewhere" / "models"

    assert add_folder(elsewhere, stick, "vit", str(stick), NOW).model.source == "hub:owner/vit@0123"

    (stick / "config.json").write_text(json.dumps({"model_type": "vit"}), encoding="utf-8")
    with pytest.raises(MissingModelError, match="differ"):
        add_folder(elsewhere, stick, "again", str(stick), NOW)
