"""The values that cross room borders: arrays, boxes, photos, points.

Only the standard library and numpy; nothing here reads, writes or decides.
"""

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

RgbImage = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, upright."""

Embeddings = NDArray[np.float32]
"""(N, D) float32, rows of unit length."""

N_VIEWS = 8
"""Quarter turns and mirrors of one photo; see ``View``."""


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open pixel rectangle [left, right) x [top, bottom); x right, y down."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ValueError(f"A box must have a positive area at or right of (0, 0), got {self}")

    @property
    def width(self) -> int:
        """In pixels, at least 1."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels, at least 1."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """In square pixels."""
        return self.width * self.height

    def as_list(self) -> list[int]:
        """[left, top, right, bottom], as stored and reported."""
        return [self.left, self.top, self.right, self.bottom]

    @classmethod
    def clipped(cls, left: float, top: float, right: float, bottom: float, width: int, height: int) -> Self:
        """The box rounded to whole pixels and cut to a page of ``width`` x ``height``.

        Raises:
            ValueError: if nothing of it lies on the page.
        """
        return cls(max(0, round(left)), max(0, round(top)), min(width, round(right)), min(height, round(bottom)))

    def overlap(self, other: "Box") -> float:
        """Intersection over union with ``other``, in [0, 1]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, slots=True)
class View:
    """One of the eight turns and mirrors of a photo: first mirrored left-right, then turned.

    Attributes:
        quarter_turns: 0-3, counter-clockwise.
        mirrored: whether the photo was mirrored left-right before the turn.
    """

    quarter_turns: int
    mirrored: bool

    @classmethod
    def at(cls, index: int) -> Self:
        """View number ``index`` in the order of ``Embedder.embed_views``: 0-3 turned, 4-7 mirrored and turned."""
        return cls(quarter_turns=index % 4, mirrored=index >= N_VIEWS // 2)

    def apply(self, photo: RgbImage) -> RgbImage:
        """``photo`` as this view shows it."""
        return np.ascontiguousarray(np.rot90(photo[:, ::-1] if self.mirrored else photo, self.quarter_turns))


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page.

    Attributes:
        page_index: from 0.
        pixels: (H, W, 3) uint8 RGB, upright.
        is_picture: whether it is a picture file, or one picture from edge to edge, and so may be a bare photo.
    """

    page_index: int
    pixels: RgbImage
    is_picture: bool = False


@dataclass(frozen=True, slots=True)
class PageText:
    """What was read in one zone of a page.

    Attributes:
        page_index: from 0.
        zone: the part of the upright page, e.g. ``top=0.15``.
        text: lines in reading order; "" if there is no text.
        confidence: of the text, in [0, 1]; 0 without text.
        quarter_turns: 0-3, counter-clockwise, that make the page as stored upright, as far as the zone tells.
    """

    page_index: int
    zone: str
    text: str
    confidence: float
    quarter_turns: int


@dataclass(frozen=True, slots=True)
class PhotoKey:
    """Which photo: its document, page and place on the page's document, all from 0 in reading order."""

    document_id: str
    page_index: int
    photo_index: int

    def __str__(self) -> str:
        return f"{self.document_id}/{self.page_index}/{self.photo_index}"


@dataclass(frozen=True, slots=True)
class PhotoCrop:
    """A photo cut out of a page.

    Attributes:
        page_index: from 0.
        photo_index: from 0 within the document, in reading order.
        box: where it lies, in pixels of the upright page with square pixels; of a skewed photo, its bounding box.
        skew_deg: counter-clockwise angle that the crop was straightened by, in degrees.
        pixels: the straightened crop.
    """

    page_index: int
    photo_index: int
    box: Box
    skew_deg: float
    pixels: RgbImage


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """Keypoints of one photo, the most telling ones first.

    Attributes:
        points: (N, 2) float32, x right and y down, in pixels of a picture of ``width`` x ``height``.
        descriptors: (N, 128) uint8, RootSIFT times 255.
        width, height: size of the picture that the points lie on, in pixels.
        thumbnail: (64, 64) uint8 grey; the whole photo, squashed to a square.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    width: int
    height: int
    thumbnail: NDArray[np.uint8]


def unit_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 128) float32 rows of unit length."""
    rows = descriptors.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(lengths, 1e-6)
    return unit


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Entries that are not zero: (M,) uint32 positions, ascending, and (M,) float32 values."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


DateSource = Literal["key_table", "name", "arrival"]
"""Where a document's date stands: in its key table, in its name, or nowhere, so that its arrival counts."""


@dataclass(frozen=True, slots=True)
class DocumentDate:
    """The day a document is from, and how that is known."""

    day: date
    source: DateSource

    @classmethod
    def stored(cls, day: date | str | None, source: str | None) -> Self | None:
        """The date as two columns hold it; None if they are empty.

        Raises:
            ValueError: if they hold no date or an unknown source.
        """
        if day is None or source is None:
            return None
        for known in get_args(DateSource):
            if known == source:
                return cls(date.fromisoformat(day) if isinstance(day, str) else day, known)
        raise ValueError(f"A document's date stands in one of {', '.join(get_args(DateSource))}, not in {source!r}")


@dataclass(frozen=True, slots=True)
class PhotoPayload:
    """What is stored beside a photo's vector and comes back with a hit; ``date`` is None in points of old."""

    document_id: str
    file_name: str
    sha256: str
    drop: str
    page_index: int
    photo_index: int
    box: Box
    merchant_id: str | None = None
    date: DocumentDate | None = None

    @property
    def key(self) -> PhotoKey:
        """Which photo this is."""
        return PhotoKey(self.document_id, self.page_index, self.photo_index)

    @property
    def place(self) -> str:
        """Where it is in words that name no document, for logs."""
        return f"photo {self.photo_index + 1} of a document of drop {self.drop}"


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """A point of the collection: its id, unit vector (D,), visual words and payload."""

    point_id: uuid.UUID
    vector: NDArray[np.float32]
    words: SparseVector
    payload: PhotoPayload


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved photo: cosine similarity in [-1, 1], or weight of shared words, above 0; higher is closer."""

    point_id: uuid.UUID
    similarity: float
    payload: PhotoPayload


_POINT_NAMESPACE = uuid.UUID("6f0f5f3a-2f0e-5d9e-9a0f-8f5b1d3f7c11")


def point_id(key: PhotoKey, embedder_id: str) -> uuid.UUID:
    """The same id for the same photo and embedder, always, so that a second upsert overwrites the first."""
    return uuid.uuid5(_POINT_NAMESPACE, f"{key.document_id}|{key.page_index}|{key.photo_index}|{embedder_id}")


LookKind = Literal["photograph", "graphics", "code"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks by itself.

    Attributes:
        kind: a photograph; flat graphics such as a map, banner, logo or seal; or a QR code.
        flatness: how probable its measures are for drawn flat graphics, in [0, 1].
        measures: what was measured, by name; see ``verification.graphics.Measures``, and ``code``, the share of the
            picture that a code covers, in [0, 1].
    """

    kind: LookKind
    flatness: float
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Changes:
    """The query photo against the archive photo.

    Attributes:
        mirrored: left-right.
        quarter_turns: 0-3, counter-clockwise, that turn the (mirrored) query photo back.
        tilt_deg: what is left of the turn, in degrees in [-45, 45], counter-clockwise.
        scale: size of what both show, on the query's page as a multiple of that on the archive page, in pixels.
        kept_share: share of the archive photo that the query photo shows, in [0, 1].
        own_share: share of the query photo that shows it, in [0, 1]; the rest was put around or over it.
        contrast: a multiple of the archive photo's.
        brightness: added to the archive photo's, in 8-bit levels.
    """

    mirrored: bool
    quarter_turns: int
    tilt_deg: float
    scale: float
    kept_share: float
    own_share: float
    contrast: float
    brightness: float


@dataclass(frozen=True, slots=True)
class LikenessTraits:
    """What a dense look at two aligned photos measured; see ``verification.likeness``.

    Attributes:
        residual: how far parts of the photos lie off one smooth plane, 75th percentile, in % of the width; at least 0.
        moved: correlation gained where every part may move by itself, mean, in [0, 1].
        agreement: correlation of the parts on the smooth plane, median, in [-1, 1].
        detail, grain: correlation of the finest detail at edges and in flat parts, in [-1, 1].
        border: share of the overlap's outermost parts that agree, in [0, 1].
        weak_side: the same of the second worst of its sides.
        whole: share of the photo that is covered best that agrees, in [0, 1].
        light: share of the coarse brightness that one tone curve explains, at most 1.
        perspective: length of the transform's perspective part.
    """

    residual: float
    moved: float
    agreement: float
    detail: float
    grain: float
    border: float
    weak_side: float
    whole: float
    light: float
    perspective: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """Why two photos are alike: probabilities that sum to 1, and what they follow from.

    Attributes:
        same_photograph: that both show one photograph.
        other_shot: that they are two shots of one scene.
        shared_thing: that they show the same printed thing in different surroundings.
        traits: what was measured.
    """

    same_photograph: float
    other_shot: float
    shared_thing: float
    traits: LikenessTraits
