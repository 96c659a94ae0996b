"""Areas of a page -> straightened crops, and crops -> stored JPEG bytes and back."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.photos.base import PhotoArea


def cut_photos(page: Page, areas: Sequence[PhotoArea], *, first_index: int, max_side_px: int) -> list[PhotoCrop]:
    """The crops of ``areas``, numbered from ``first_index``, at most ``max_side_px`` on the long side."""
    return [
        PhotoCrop(
            page_index=page.page_index,
            photo_index=first_index + i,
            box=area.box,
            skew_deg=area.skew_deg,
            pixels=cut(page.pixels, area, max_side_px),
        )
        for i, area in enumerate(areas)
    ]


def cut(page: RgbImage, area: PhotoArea, max_side_px: int) -> RgbImage:
    """One photo, straightened, scaled down to ``max_side_px`` if it is larger; never scaled up."""
    import cv2

    width, height = area.size
    scale = min(1.0, max_side_px / max(width, height))
    target = max(1, round(width * scale)), max(1, round(height * scale))
    box = area.box
    crop = page[box.top : box.bottom, box.left : box.right]
    if area.skew_deg:
        turn = math.radians(area.skew_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        # Maps crop pixels to the straightened photo: centre to centre, turned back by the skew.
        matrix = np.array(
            [
                [cos, -sin, (width - cos * box.width + sin * box.height) / 2],
                [sin, cos, (height - sin * box.width - cos * box.height) / 2],
            ]
        )
        size = (max(1, round(width)), max(1, round(height)))
        crop = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if crop.shape[1::-1] == target:
        return np.ascontiguousarray(crop)
    resized: RgbImage = cv2.resize(np.ascontiguousarray(crop), target, interpolation=cv2.INTER_AREA)
    return resized


def encode_jpeg(photo: RgbImage, quality: int) -> bytes:
    """``photo`` as a JPEG file with full colour resolution."""
    import cv2

    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), options)
    return bytes(encoded)


def decode_jpeg(encoded: bytes) -> RgbImage:
    """Pixels of a stored photo. Only for bytes this package wrote."""
    with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
