"""Faces found and pixelated, in every picture that leaves the program and, unless somebody asks, in those of the desk.

The detector is CenterFace (Xu et al., arXiv:1911.03599), run by OpenCV. It finds upright faces from about 10 pixels on,
printed ones too, and those of photos that lie turned from about 30; others are not found. Nothing of a face is kept but
its box, and that in memory alone.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import Box, RgbImage
from doc_assets.errors import MissingModelError
from doc_assets.features.weight_files import read_weights

WEIGHTS_DIR = Path(__file__).with_name("weights")
MODEL = "centerface.onnx"
MIN_SCORE = 0.3
"""Of what counts as a face, in [0, 1]; lower than usual, because a missed face costs more than a pixelated sign."""
_TURNED_SCORE, _TURNED_SCALE = 0.5, 0.5
"""Photos that lie turned are rare, and three more looks in full would be dear: only larger faces are found in them."""
_GROWN = 0.3
_MOST_OVERLAP = 0.3
_STRIDE, _MULTIPLE = 4, 32  # of the network: cells of its output, and sizes that it takes
_LONGEST_PX = 1024
_BLOCKS = 5  # across a face: eyes and mouth are one block each at most
_SMALLEST_BLOCK_PX = 4
_OUTPUTS = ("537", "538", "539", "540")  # score, size, offset and landmarks of every cell; OpenCV 5 wants all of them
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its box in pixels of the picture, not grown, and how certain it is, in [0, 1]."""

    box: Box
    score: float


class FaceDetector:
    """Finds faces; one object serves all threads, one picture at a time.

    Args:
        weights: an ONNX file beside its manifest; the package's own by default.

    Attributes:
        sha256: of the weights.

    Raises:
        MissingModelError: if the file is absent, damaged or no such network.
    """

    def __init__(self, weights: Path | None = None) -> None:
        import cv2

        path = weights or WEIGHTS_DIR / MODEL
        content, self.sha256 = read_weights(path)
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
        except cv2.error as error:
            raise MissingModelError(
                f"{path} is no network that OpenCV {cv2.__version__} reads: {error.err}. Install the package again."
            ) from error
        self._running = Lock()

    def find(self, photo: RgbImage) -> tuple[Face, ...]:
        """Faces in a picture of any size, looked at in at most 1,024 pixels a side, and turned in half of that."""
        faces = self._upright(photo, 1.0, MIN_SCORE)
        for turns in (1, 2, 3):
            turned = self._upright(np.rot90(photo, turns), _TURNED_SCALE, _TURNED_SCORE)
            faces += [Face(_turned_back(face.box, turns, photo.shape), face.score) for face in turned]
        return tuple(faces)

    def _upright(self, photo: RgbImage, share: float, min_score: float) -> list[Face]:
        """Faces that stand upright; the picture is looked at in this share of its size."""
        import cv2

        height, width = photo.shape[:2]
        scale = share * min(1.0, _LONGEST_PX / max(height, width))
        size = _taken(width * scale), _taken(height * scale)
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        blob = cv2.dnn.blobFromImage(small)
        with self._running:
            self._net.setInput(blob)
            heat, sizes, offsets, _ = self._net.forward(list(_OUTPUTS))
        boxes, scores = _decoded(heat[0, 0], sizes[0], offsets[0], min_score)
        boxes *= [width / size[0], height / size[1], width / size[0], height / size[1]]
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), min_score, _MOST_OVERLAP)
        faces = []
        for at in np.array(kept, int).reshape(-1):
            left, top, across, down = boxes[at]
            box = _inside(left, top, left + across, top + down, width, height)
            if box is not None:
                faces.append(Face(box, float(scores[at])))
        return faces


def _turned_back(box: Box, turns: int, shape: tuple[int, ...]) -> Box:
    """A box found after so many quarter turns counter-clockwise, in the picture of this (height, width) itself."""
    height, width = shape[:2]
    if turns == 1:
        return Box(width - box.bottom, box.left, width - box.top, box.right)
    if turns == 2:  # noqa: PLR2004 - upside down
        return Box(width - box.right, height - box.bottom, width - box.left, height - box.top)
    return Box(box.top, height - box.right, box.bottom, height - box.left)


def _taken(length: float) -> int:
    """A side that the network takes."""
    return max(_MULTIPLE, -(-round(length) // _MULTIPLE) * _MULTIPLE)


def _decoded(
    heat: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32], min_score: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 4) left, top, width, height in pixels of the network's input, and (N,) scores."""
    rows, columns = np.nonzero(heat > min_score)
    down, across = (np.exp(sizes[axis, rows, columns].astype(np.float64)) * _STRIDE for axis in (0, 1))
    y, x = (
        (place + offsets[axis, rows, columns].astype(np.float64) + 0.5) * _STRIDE
        for axis, place in ((0, rows), (1, columns))
    )
    return np.stack([x - across / 2, y - down / 2, across, down], axis=1), heat[rows, columns].astype(np.float64)


def _inside(left: float, top: float, right: float, bottom: float, width: int, height: int) -> Box | None:
    """The box cut to the picture; None if nothing of it lies there."""
    try:
        return Box.clipped(left, top, right, bottom, width, height)
    except ValueError:
        return None


def grown(box: Box, width: int, height: int) -> Box:
    """The box 30 % wider and higher, cut to a picture of this size: hair and chin are part of a face."""
    dx, dy = box.width * _GROWN / 2, box.height * _GROWN / 2
    return Box.clipped(box.left - dx, box.top - dy, box.right + dx, box.bottom + dy, width, height)


def pixelated(photo: RgbImage, faces: tuple[Face, ...]) -> RgbImage:
    """The photo in the same size with every face in blocks of one colour; the photo itself if there is none."""
    if not faces:
        return photo
    import cv2

    height, width = photo.shape[:2]
    shown = photo.copy()
    for face in faces:
        box = grown(face.box, width, height)
        block = max(_SMALLEST_BLOCK_PX, -(-max(box.width, box.height) // _BLOCKS))
        part = photo[box.top : box.bottom, box.left : box.right]
        few = cv2.resize(part, (-(-box.width // block), -(-box.height // block)), interpolation=cv2.INTER_AREA)
        shown[box.top : box.bottom, box.left : box.right] = cv2.resize(
            few, (box.width, box.height), interpolation=cv2.INTER_NEAREST
        ).reshape(part.shape)
    return shown


class Redactor:
    """Pixelates faces; where they are in a picture is remembered by the digest of its pixels.

    Args:
        detector: finds them.
        kept: pictures whose boxes are remembered, the ones used last.
    """

    def __init__(self, detector: FaceDetector, kept: int = _KEPT) -> None:
        self.detector = detector
        self._kept = kept
        self._known: OrderedDict[bytes, tuple[Face, ...]] = OrderedDict()
        self._at_work = Lock()

    def faces(self, photo: RgbImage) -> tuple[Face, ...]:
        """The faces of a picture."""
        digest = hashlib.sha256(np.ascontiguousarray(photo).data)
        digest.update(repr(photo.shape).encode())
        key = digest.digest()
        with self._at_work:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
        found = self.detector.find(photo)
        with self._at_work:
            self._known[key] = found
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
        return found

    def redacted(self, photo: RgbImage) -> RgbImage:
        """The picture in the same size, its faces pixelated."""
        return pixelated(photo, self.faces(photo))


@lru_cache(maxsize=1)
def built_in_redactor() -> Redactor:
    """The redactor of this process, its network loaded once.

    Raises:
        MissingModelError: if the network is absent or damaged.
    """
    return Redactor(FaceDetector())


def what_it_is(redactor: Redactor) -> dict[str, Any]:
    """Name and digest of the detector, for records of what was made with it."""
    return {"file": MODEL, "sha256": redactor.detector.sha256, "min_score": MIN_SCORE}
