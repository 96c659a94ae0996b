"""One picture of a matched pair: where both photos stand, where they overlap, what agrees.

Above, from left to right: the query's page, the query photo turned as the archive photo lies, the archive photo, its
page; the overlap is outlined, the rest dimmed, the most telling keypoint pairs are joined. Below, the overlap only: the
query photo laid over the archive photo, the archive photo, and the two in alternating squares. Of a pair that is alike
without being one photograph the archive photo shows why: parts that disagree are hatched, arrows say how far parts lie
off the plane that fits most of the photo, five times as long as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.photo_lookup import PageView
from doc_assets.datatypes import RgbImage, View
from doc_assets.search.verify.geometry import shares_to_pixels
from doc_assets.util.fonts import font

if TYPE_CHECKING:
    from doc_assets.search.verify.likeness import Examination

Points = NDArray[np.float64]

WIDTH_PX = 1320
_GAP, _BAND = 12, 30
_PAGE_W, _PHOTO = 190, (444, 360)
_ALIGNED = (432, 320)
_UNMARKED = {None, "same_photograph", "form_picture"}  # nothing tells their two sides apart
_SQUARES = 8
_MOST_LINES = 16
_PAPER, _INK, _OUTLINE = (255, 255, 255), (40, 40, 40), (0, 150, 60)
_BOX = (214, 40, 40)
_LINES = ((230, 159, 0), (86, 180, 233), (204, 121, 167), (240, 228, 66))  # told apart by colour-blind people too
_DIMMED = 0.45
_SHORTEST_NAME = 8
_DISAGREES, _FITS = 0.5, 0.7  # correlation of a part with the other photo
_OFF_PLANE = 0.003  # of the width, from which on an arrow is drawn
_LONGER = 5
_ARROW, _HATCH = (214, 40, 40), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class PairPictures:
    """What is known of a pair in pixels: both photos as they were cut, and the pages they stand on if at hand."""

    query_photo: RgbImage
    archive_photo: RgbImage
    query_page: PageView | None = None
    archive_page: PageView | None = None


def draw_pair(pictures: PairPictures, pair: PhotoPair, names: tuple[str, str]) -> RgbImage:
    """(H, 1320, 3) the picture of a pair; of one that was not matched by its keypoints without the lower row.

    ``names`` are those of the query document and the archive document.
    """
    view = View(pair.quarter_turns, pair.mirrored)
    query = view.apply(pictures.query_photo)
    is_aligned = pair.transform is not None
    query_area = pair.overlap.query_area if pair.overlap is not None else ()
    height = _BAND + _PHOTO[1] + _GAP + (_ALIGNED[1] + _GAP if is_aligned else 0)
    sheet = Image.new("RGB", (WIDTH_PX, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    _page(sheet, (left, _BAND), pictures.query_page, pair.query_box)
    left += _PAGE_W + _GAP
    query_frame = _photo(sheet, (left, _BAND), query, _seen_by(view, query_area))
    _label(draw, (left, 4), f"{names[0]}  p.{pair.query_page}  #{pair.query_photo + 1}")
    left += _PHOTO[0] + _GAP
    archive_frame = _photo(sheet, (left, _BAND), pictures.archive_photo, _found_area(pair))
    _label(draw, (left, 4), f"{names[1]}  p.{pair.page}  #{pair.photo + 1}")
    left += _PHOTO[0] + _GAP
    _page(sheet, (left, _BAND), pictures.archive_page, pair.box)
    if is_aligned:
        _join(draw, pair.lines or (), view, query_frame, archive_frame)
        _aligned_row(sheet, pictures, pair, _BAND + _PHOTO[1] + _GAP)
    return np.asarray(sheet)


def draw_archive_side(photo: RgbImage, page: PageView | None, pair: PhotoPair, name: str) -> RgbImage:
    """(H, 658, 3) the archive's half of the picture alone, for searches of which no pixel may be kept."""
    sheet = Image.new("RGB", (_GAP * 3 + _PHOTO[0] + _PAGE_W, _BAND + _PHOTO[1] + _GAP), _PAPER)
    area = _found_area(pair)
    _photo(sheet, (_GAP, _BAND), photo, area)
    _page(sheet, (2 * _GAP + _PHOTO[0], _BAND), page, pair.box)
    _label(ImageDraw.Draw(sheet), (_GAP, 4), f"{name}  p.{pair.page}  #{pair.photo + 1}")
    return np.asarray(sheet)


Frame = tuple[int, int, int, int]
"""Left, top, width, height on the sheet."""


def _photo(sheet: Image.Image, at: tuple[int, int], photo: RgbImage, area: Points) -> Frame:
    """Pastes a photo with the area outlined and the rest dimmed."""
    shown = _fitted(photo, _PHOTO)
    left, top = at[0] + (_PHOTO[0] - shown.width) // 2, at[1] + (_PHOTO[1] - shown.height) // 2
    if len(area):
        corners = [tuple(corner) for corner in area * [shown.width - 1, shown.height - 1]]
        inside = Image.new("L", shown.size, int(255 * _DIMMED))
        ImageDraw.Draw(inside).polygon(corners, fill=255)
        shown = Image.composite(shown, Image.new("RGB", shown.size, _PAPER), inside)
        ImageDraw.Draw(shown).polygon(corners, outline=_OUTLINE, width=4)
    sheet.paste(shown, (left, top))
    return left, top, shown.width, shown.height


def _page(sheet: Image.Image, at: tuple[int, int], page: PageView | None, box: Sequence[float]) -> None:
    """Pastes a page with the photo's box, which is in pixels of the page as stored."""
    if page is None:
        return
    shown = _fitted(page.pixels, (_PAGE_W, _PHOTO[1]))
    draw = ImageDraw.Draw(shown)
    scale = page.scale * shown.width / page.pixels.shape[1]
    draw.rectangle(tuple(value * scale for value in box), outline=_BOX, width=4)
    draw.rectangle((0, 0, shown.width - 1, shown.height - 1), outline=(170, 170, 170))
    sheet.paste(shown, (at[0] + (_PAGE_W - shown.width) // 2, at[1] + (_PHOTO[1] - shown.height) // 2))


def _join(
    draw: ImageDraw.ImageDraw, lines: Sequence[Sequence[float]], view: View, query: Frame, archive: Frame
) -> None:
    for number, (qx, qy, ax, ay) in enumerate(lines[:_MOST_LINES]):
        ((sx, sy),) = _seen_by(view, [[qx, qy]])
        start = query[0] + sx * query[2], query[1] + sy * query[3]
        end = archive[0] + ax * archive[2], archive[1] + ay * archive[3]
        colour = _LINES[number % len(_LINES)]
        draw.line((start, end), fill=colour, width=1)
        for x, y in (start, end):
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=colour, width=2)


def _found_area(pair: PhotoPair) -> Points:
    """(N, 2) corners of the overlap in the found photo."""
    return np.array(pair.overlap.area if pair.overlap is not None else [], np.float64).reshape(-1, 2)


def _aligned_row(sheet: Image.Image, pictures: PairPictures, pair: PhotoPair, top: int) -> None:
    """The overlap in both photos, upright as the archive photo lies, and both in alternating squares."""
    archive = pictures.archive_photo
    height, width = archive.shape[:2]
    laid = laid_over(pictures.query_photo, archive.shape[:2], np.array(pair.transform), mirrored=pair.mirrored)
    area = np.clip(_found_area(pair), 0, 1) * [width, height]
    if len(area) == 0:
        return
    (x0, y0), (x1, y1) = area.min(axis=0).astype(int), np.ceil(area.max(axis=0)).astype(int)
    if x1 - x0 < _SQUARES or y1 - y0 < _SQUARES:
        return
    one, other = laid[y0:y1, x0:x1], archive[y0:y1, x0:x1]
    shown = other if pair.kind in _UNMARKED else _with_signs(pictures, pair)[y0:y1, x0:x1]
    rows, columns = np.mgrid[0 : y1 - y0, 0 : x1 - x0]
    size = max(1, max(y1 - y0, x1 - x0) // _SQUARES)
    odd = ((rows // size + columns // size) % 2).astype(bool)
    for number, picture in enumerate((one, shown, np.where(odd[:, :, None], one, other))):
        fitted = _fitted(np.ascontiguousarray(picture), _ALIGNED)
        left = _GAP + number * (_ALIGNED[0] + _GAP) + (_ALIGNED[0] - fitted.width) // 2
        sheet.paste(fitted, (left, top + (_ALIGNED[1] - fitted.height) // 2))


def _with_signs(pictures: PairPictures, pair: PhotoPair) -> RgbImage:
    """The archive photo with what tells it from the query photo; as it is if a dense look says nothing."""
    photo = pictures.archive_photo
    shares = (pair.overlap.query_share, pair.overlap.share) if pair.overlap is not None else (1.0, 1.0)
    from doc_assets.search.verify.likeness import examine  # noqa: PLC0415 - measures with cv2, see the bans

    found = examine(pictures.query_photo, photo, np.array(pair.transform), shares, mirrored=pair.mirrored)
    if found is None:
        return photo
    marked = Image.fromarray(photo)
    draw = ImageDraw.Draw(marked)
    for row, column in zip(*np.nonzero(found.telling), strict=True):
        _mark(draw, found, int(row), int(column), marked.size, moves=pair.kind != "shared_thing")
    return np.asarray(marked)


def _mark(
    draw: ImageDraw.ImageDraw, found: "Examination", row: int, column: int, size: tuple[int, int], *, moves: bool
) -> None:
    """Hatches a part that disagrees; draws how far one lies off the plane that agrees where it may move."""
    height, width = found.block
    left, top = column * width * size[0], row * height * size[1]
    across, down = width * size[0], height * size[1]
    x, y = left + across / 2, top + down / 2
    shift = found.shift[row, column] * size
    pen = max(1, round(max(size) / 500))
    if moves and found.free[row, column] >= _FITS and np.linalg.norm(shift) >= _OFF_PLANE * max(size):
        tip = x + _LONGER * float(shift[0]), y + _LONGER * float(shift[1])
        draw.line((x, y, *tip), fill=_ARROW, width=pen)
        draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=_ARROW)
    elif found.agreement[row, column] < _DISAGREES:
        for part in (0.0, 0.5):
            draw.line((left + part * across, top + down, left + across, top + part * down), fill=_HATCH, width=pen)


def laid_over(query: RgbImage, shape: tuple[int, ...], transform: Points, *, mirrored: bool) -> RgbImage:
    """The query photo as it lies on an archive photo of ``shape`` (height, width); white where it shows nothing."""
    import cv2

    source = np.ascontiguousarray(query[:, ::-1] if mirrored else query)
    height, width = shape[:2]
    to_shares = np.linalg.inv(shares_to_pixels(source.shape[1], source.shape[0]))
    matrix = shares_to_pixels(width, height) @ transform @ to_shares
    warped = cv2.warpPerspective(source, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=_PAPER)
    return np.asarray(warped, np.uint8)


def _seen_by(view: View, points: Sequence[Sequence[float]]) -> Points:
    """(N, 2) where points of a photo, in shares of its sides, are once the view is applied to it."""
    found = np.array(points, np.float64).reshape(-1, 2)
    if view.mirrored:
        found[:, 0] = 1 - found[:, 0]
    for _ in range(view.quarter_turns):
        found = np.stack([found[:, 1], 1 - found[:, 0]], axis=1)
    return found


def _fitted(picture: RgbImage, size: tuple[int, int]) -> Image.Image:
    """As large as ``size`` allows, never more than twice the original."""
    image = Image.fromarray(picture)
    scale = min(size[0] / image.width, size[1] / image.height, 2.0)
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(fitted, Image.Resampling.LANCZOS)


def _label(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str) -> None:
    shown = text
    while draw.textlength(shown, font=font(15)) > _PHOTO[0] and len(shown) > _SHORTEST_NAME:
        shown = f"{shown[: len(shown) // 2 - 3]}…{shown[len(shown) // 2 + 2 :]}"
    draw.text(at, shown, font=font(15), fill=_INK)
