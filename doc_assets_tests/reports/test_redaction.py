"""Faces found and pixelated: real photographs with hand-made truth, and drawn pictures for what must hold of any."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from doc_assets.datatypes import Box
from doc_assets.errors import MissingModelError
from doc_assets.photos.cutting import scaled_down
from doc_assets.reports import redaction
from doc_assets.reports.redaction import Face, FaceDetector, Redactor, built_in_redactor, grown, pixelated
from doc_assets_tests.shared import SHARED, needs_shared

TRUTH = json.loads(Path(__file__).with_name("faces.json").read_text(encoding="utf-8"))
WITH_FACES = sorted(name for name, known in TRUTH.items() if len(known.get("faces", ())) >= 3)[:12]


def _noise(height, width):
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)


def _photo(name):
    with Image.open(SHARED / "photos" / name) as file:
        return scaled_down(np.asarray(file.convert("RGB")), 1024)


def _covered(box, boxes):
    inside = np.zeros((box.height, box.width), bool)
    for each in boxes:
        inside[
            max(0, each.top - box.top) : max(0, each.bottom - box.top),
            max(0, each.left - box.left) : max(0, each.right - box.left),
        ] = True
    return inside.mean() >= 0.6


@needs_shared
@pytest.mark.whole
def test_four_of_five_known_faces_on_street_photos_are_covered():
    detector, hits = built_in_redactor().detector, []
    for name in WITH_FACES:
        photo, scale = _photo(name)
        found = [grown(face.box, photo.shape[1], photo.shape[0]) for face in detector.find(photo)]
        truth = [Box(*(max(0, round(value * scale)) for value in box)) for box in TRUTH[name]["faces"]]
        hits += [_covered(face, found) for face in truth]
    assert len(hits) > 40
    assert np.mean(hits) >= 0.75


@needs_shared
@pytest.mark.whole
def test_fruit_is_hardly_ever_a_face():
    detector = built_in_redactor().detector
    paths = sorted((SHARED / "photos_goods").glob("*.jpg"))[::25]
    found = []
    for path in paths:
        with Image.open(path) as file:
            found += detector.find(scaled_down(np.asarray(file.convert("RGB")), 1024)[0])
    assert len(paths) > 10
    assert len(found) <= len(paths) / 3


@needs_shared
def test_every_face_is_pixelated_and_the_rest_stays():
    redactor = built_in_redactor()
    photo, _ = _photo(max(TRUTH, key=lambda name: len(TRUTH[name].get("faces", ()))))
    faces = redactor.faces(photo)
    shown = redactor.redacted(photo)

    assert len(faces) >= 2
    assert (shown.shape, shown.dtype) == (photo.shape, photo.dtype)
    changed = (shown != photo).any(axis=2)
    allowed = np.zeros(changed.shape, bool)
    for face in faces:
        box = grown(face.box, photo.shape[1], photo.shape[0])
        part = shown[box.top : box.bottom, box.left : box.right]
        assert changed[box.top : box.bottom, box.left : box.right].mean() > 0.8
        assert len(np.unique(part.reshape(-1, 3), axis=0)) <= 36 * len(faces)
        allowed[box.top : box.bottom, box.left : box.right] = True
    assert not changed[~allowed].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 40), (700, 33), (1500, 200), (240, 320)])
def test_pictures_of_any_shape_are_looked_at(shape):
    photo = _noise(*shape)
    assert built_in_redactor().redacted(photo).shape == photo.shape


@pytest.mark.parametrize(
    "box", [Box(0, 0, 1, 1), Box(0, 0, 5, 5), Box(90, 40, 100, 60), Box(0, 0, 100, 60), Box(10, 0, 12, 60)]
)
def test_a_box_at_the_border_or_of_a_pixel_is_pixelated_in_place(box):
    photo = _noise(60, 100)
    shown = pixelated(photo, (Face(box, 0.9),))
    wide = grown(box, 100, 60)

    assert shown.shape == photo.shape
    outside = np.ones((60, 100), bool)
    outside[wide.top : wide.bottom, wide.left : wide.right] = False
    assert (shown[outside] == photo[outside]).all()
    part = shown[wide.top : wide.bottom, wide.left : wide.right].reshape(-1, 3)
    assert len(np.unique(part, axis=0)) <= 36  # blocks, at most six across
    assert photo.base is None or (photo == _noise(60, 100)).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_box_found_in_a_turned_picture_is_where_it_was(turns):
    photo = np.zeros((50, 80, 3), np.uint8)
    photo[10:20, 30:60] = 1
    rows, columns = np.nonzero(np.rot90(photo, turns)[:, :, 0])
    seen = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    assert redaction._turned_back(seen, turns, photo.shape) == Box(30, 10, 60, 20)


@needs_shared
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_large_face_is_found_whichever_way_the_photo_lies(turns):
    name, large = next(
        (name, box) for name, known in TRUTH.items() for box in known.get("faces", ()) if box[2] - box[0] >= 38
    )
    photo, scale = _photo(name)
    face = Box(*(round(value * scale) for value in large))
    turned = np.ascontiguousarray(np.rot90(photo, turns))
    shown = np.rot90(built_in_redactor().redacted(turned), -turns)
    assert (shown != photo)[face.top : face.bottom, face.left : face.right].any(axis=2).mean() > 0.6


def test_a_box_grows_by_thirty_per_cent():
    assert grown(Box(100, 100, 200, 300), 1000, 1000) == Box(85, 70, 215, 330)


class _Counting:
    """A detector that counts how often it is asked."""

    sha256 = "0" * 64

    def __init__(self):
        self.asked = 0

    def find(self, photo):
        self.asked += 1
        return (Face(Box(0, 0, 8, 8), 0.9),)


def test_a_picture_is_looked_at_once_and_the_oldest_is_forgotten():
    detector = _Counting()
    redactor = Redactor(detector, kept=2)
    one, two, three = (np.full((20, 20, 3), value, np.uint8) for value in (1, 2, 3))
    for photo in (one, one.copy(), two, one, three, one):
        redactor.redacted(photo)
    assert detector.asked == 3
    redactor.redacted(two)
    assert detector.asked == 4


def test_pictures_of_the_same_bytes_and_another_shape_are_two(tmp_path):
    detector = _Counting()
    redactor = Redactor(detector)
    photo = _noise(20, 40)
    redactor.redacted(photo)
    redactor.redacted(photo.reshape(40, 20, 3))
    assert detector.asked == 2


@pytest.mark.parametrize("how", ["missing", "cut", "exchanged", "no manifest"])
def test_a_missing_or_damaged_network_is_an_error(tmp_path, how):
    folder = shutil.copytree(redaction.WEIGHTS_DIR, tmp_path / "weights")
    path = folder / redaction.MODEL
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "exchanged":
        path.write_bytes(b"x")
    else:
        (folder / "manifest.json").unlink()
    with pytest.raises(MissingModelError, match=r"centerface\.onnx"):
        FaceDetector(path)


def test_a_network_that_is_none_is_an_error_though_its_manifest_agrees(tmp_path):
    from doc_assets.util.files import sha256_of

    (tmp_path / "x.onnx").write_bytes(b"no network")
    (tmp_path / "manifest.json").write_text(json.dumps({"x.onnx": {"sha256": sha256_of(b"no network")}}))
    with pytest.raises(MissingModelError, match="OpenCV"):
        FaceDetector(tmp_path / "x.onnx")
