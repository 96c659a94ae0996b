"""Faces on photographs: which are pixelated, what else is, and what it costs.

    python -m benchmarks.faces [--every 1]

The shared photographs of streets and of goods, at most 1,024 pixels a side, as they are and as scans make them. The
truth (`doc_assets_tests/reports/faces.json`) was judged by eye on what two detectors with low thresholds proposed
(CenterFace from 0.2 and libfacedetection from 0.4 on): faces of people, printed ones among them. A face that neither
proposed is unknown, so recall is an upper limit. What cannot be told (backs of heads, mannequins, cartoons) counts
neither way.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.report import PROJECT, SHARED, Row, print_table, save
from doc_assets.datatypes import Box, RgbImage
from doc_assets.photos.cutting import scaled_down
from doc_assets.reports.redaction import MIN_SCORE, FaceDetector, Redactor, grown

TRUTH = PROJECT / "doc_assets_tests" / "reports" / "faces.json"
_SIDE_PX = 1024
_COVERED = 0.6  # of a true face, by pixelated boxes
_SIZES = ((0, 10), (10, 15), (15, 30), (30, 1000))

Boxes = list[Box]


def as_scanned(photo: RgbImage) -> RgbImage:
    """Grey, JPEG of quality 60."""
    file = io.BytesIO()
    Image.fromarray(photo).convert("L").save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file).convert("RGB"))


LOOKS: dict[str, Callable[[RgbImage], RgbImage]] = {
    "as it is": lambda photo: photo,
    "grey, JPEG 60": as_scanned,
    "brighter": lambda photo: np.clip(photo.astype(np.int16) * 13 // 10, 0, 255).astype(np.uint8),
    "half the size": lambda photo: scaled_down(photo, max(photo.shape[:2]) // 2)[0],
    "turned by 90 degrees": lambda photo: np.ascontiguousarray(np.rot90(photo)),
}


def photo_of(path: Path) -> tuple[RgbImage, float]:
    """A photo as the product stores it, and its scale."""
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB"))
    return scaled_down(pixels, _SIDE_PX)


def scaled(boxes: Iterable[Sequence[float]], scale: float) -> Boxes:
    """Boxes of the truth in pixels of a smaller picture."""
    return [Box(*(max(0, round(value * scale)) for value in box)) for box in boxes]


def turned(box: Box, width: int) -> Box:
    """A box of a photo of this width, after a quarter turn counter-clockwise."""
    return Box(box.top, width - box.right, box.bottom, width - box.left)


def is_covered(face: Box, found: Sequence[Box]) -> bool:
    """Whether pixelated boxes cover most of a face."""
    covered = np.zeros((face.height, face.width), bool)
    for box in found:
        covered[
            max(0, box.top - face.top) : max(0, box.bottom - face.top),
            max(0, box.left - face.left) : max(0, box.right - face.left),
        ] = True
    return bool(covered.mean() >= _COVERED)


def measured(name: str, look: Callable[[RgbImage], RgbImage], paths: Sequence[Path], detector: FaceDetector) -> Row:
    """One row: recall by width of the face as stored, and boxes on nothing."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    hit: dict[tuple[int, int], list[bool]] = {size: [] for size in _SIZES}
    n_false = 0
    for path in paths:
        photo, scale = photo_of(path)
        shown, known = look(photo), truth.get(path.name, {})
        change = shown.shape[1] / photo.shape[1] if name == "half the size" else 1.0
        found = [face.box for face in detector.find(shown)]
        pixels = [grown(box, shown.shape[1], shown.shape[0]) for box in found]
        faces = {kind: scaled(known.get(kind, ()), scale) for kind in ("faces", "unsure")}
        placed = {
            kind: [turned(box, photo.shape[1]) for box in boxes] if name.startswith("turned") else boxes
            for kind, boxes in faces.items()
        }
        placed = {kind: scaled((box.as_list() for box in boxes), change) for kind, boxes in placed.items()}
        for face, seen in zip(faces["faces"], placed["faces"], strict=True):
            hit[next(size for size in _SIZES if size[0] <= face.width < size[1])].append(is_covered(seen, pixels))
        everything = [*placed["faces"], *placed["unsure"]]
        n_false += sum(not any(box.overlap(face) > 0 for face in everything) for box in found)
    row: Row = {"photos": name, "faces": sum(map(len, hit.values()))}
    row |= {f"recall {low}-{high} px": float(np.mean(hits)) for (low, high), hits in hit.items() if hits}
    return row | {"recall": float(np.mean([each for hits in hit.values() for each in hits])), "false": n_false}


def costs(paths: Sequence[Path], detector: FaceDetector) -> list[Row]:
    """CPU milliseconds of a picture: the first time, and when its boxes are known."""
    rows: list[Row] = []
    for side in (320, 700, 1024):
        first: list[float] = []
        again: list[float] = []
        redactor = Redactor(detector)
        for path in paths:
            photo = scaled_down(photo_of(path)[0], side)[0]
            for times in (first, again):
                began = time.process_time()
                redactor.redacted(photo)
                times.append(1000 * (time.process_time() - began))
        rows.append({"side px": side, "first ms": float(np.median(first)), "again ms": float(np.median(again))})
    return rows


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    every = parser.parse_args().every
    paths = [*sorted((SHARED / "photos").glob("*.jpg")), *sorted((SHARED / "photos_goods").glob("*.jpg"))[::3]][::every]
    detector = FaceDetector()
    rows = [measured(name, look, paths, detector) for name, look in LOOKS.items()]
    print_table(rows)
    timed = costs(paths[::10], detector)
    print_table(timed)
    save("faces", {"every": every, "min_score": MIN_SCORE}, [*rows, *timed])


if __name__ == "__main__":
    main()
