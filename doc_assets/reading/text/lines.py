"""Finds lines of text on paper by image analysis, and cuts them out for an engine.

Letters are small pieces of ink; what is longer is a rule of a table or a photo. Letters close to each other on one
height are a line. All sizes follow from the page's, so resolution does not matter.
"""

from dataclasses import dataclass

import numpy as np

from doc_assets.reading.text.base import GreyImage

VERSION = "lines-1"

_WORK_SIDE_PX = 1168  # a page's height, A4 at 100 dpi: letters stay apart from photos, dither becomes grey
_BLUR_PX = 0.6
_DARKEST_PAPER = 128
_INK_CONTRAST = 50
_RULE_SHARE = 0.04  # of the page's height: longer runs of ink are rules or photos
_RULE_THICKNESS_PX = 5
_MIN_TEXT_SHARE, _MAX_TEXT_SHARE = 0.006, 0.05  # height of a line, of the page's height
_MAX_LETTER_WIDTHS = 3  # letters that touch
_GAP_SHARE = 0.028  # between two words, of the page's height
_MIN_ASPECT = 2
_MAX_OTHER_INK = 0.1  # of photos and rules where a line is
_MIN_INK, _MAX_INK = 0.08, 0.6
_LINE_PX, _LINE_MARGIN_PX, _LONGEST_LINE_PX = 48, 10, 4096
_PADDING = 0.3
MAX_LINES = 200


@dataclass(frozen=True, slots=True)
class LineBox:
    """Where a line lies, in pixels of the picture it was found on."""

    left: float
    top: float
    width: float
    height: float


def find_lines(zone: GreyImage, page_height: int) -> list[LineBox]:
    """Lines of text in reading order, at most 200, in a part of an upright page that is ``page_height`` px high."""
    import cv2

    scale = min(1.0, _WORK_SIDE_PX / page_height)
    size = max(1, round(zone.shape[1] * scale)), max(1, round(zone.shape[0] * scale))
    small = np.asarray(cv2.resize(zone, size, interpolation=cv2.INTER_AREA), np.uint8)
    height = page_height * scale
    ink = _without_rules(_ink(small), max(3, int(height * _RULE_SHARE)))
    letters, other = _letters(ink, height * _MAX_TEXT_SHARE)
    gap = max(1, int(height * _GAP_SHARE)) | 1
    joined = cv2.morphologyEx(letters, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = []
    for left, top, wide, high, _ in stats[1:].tolist():
        if not height * _MIN_TEXT_SHARE <= high <= height * _MAX_TEXT_SHARE or wide < _MIN_ASPECT * high:
            continue
        around = other[max(0, top - 2) : top + high + 2, max(0, left - 2) : left + wide + 2]
        share = float(letters[top : top + high, left : left + wide].mean())
        if float(around.mean()) <= _MAX_OTHER_INK and _MIN_INK <= share <= _MAX_INK:
            found.append(LineBox(left / scale, top / scale, wide / scale, high / scale))
    found.sort(key=lambda line: -line.width)
    return _reading_order(found[:MAX_LINES])


def cut_line(zone: GreyImage, box: LineBox) -> GreyImage:
    """A line as engines read it best: 48 px of text, on a margin of white."""
    import cv2

    pad = box.height * _PADDING
    top, left = max(0, int(box.top - pad)), max(0, int(box.left - pad))
    line = zone[top : int(box.top + box.height + pad) + 1, left : int(box.left + box.width + pad) + 1]
    scale = min(_LINE_PX / box.height, _LONGEST_LINE_PX / line.shape[1])
    size = max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(line), size, interpolation=way)
    return np.pad(np.asarray(resized, np.uint8), _LINE_MARGIN_PX, constant_values=255)


def _ink(grey: GreyImage) -> GreyImage:
    import cv2

    smooth = cv2.GaussianBlur(grey, (0, 0), _BLUR_PX)
    shades = np.bincount(smooth.ravel(), minlength=256)
    paper = _DARKEST_PAPER + int(np.argmax(shades[_DARKEST_PAPER:]))
    return np.asarray(smooth < paper - _INK_CONTRAST, np.uint8)


def _without_rules(ink: GreyImage, length: int) -> GreyImage:
    """``ink`` without long thin runs, which would join a title to the box around it."""
    import cv2

    rules = np.zeros_like(ink)
    for along, across in (((1, length), (_RULE_THICKNESS_PX, 1)), ((length, 1), (1, _RULE_THICKNESS_PX))):
        long = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(along, np.uint8))
        thick = cv2.morphologyEx(long, cv2.MORPH_OPEN, np.ones(across, np.uint8))
        rules |= long & ~thick & 1
    return np.where(cv2.dilate(rules, np.ones((3, 3), np.uint8)) > 0, 0, ink).astype(np.uint8)


def _letters(ink: GreyImage, max_height: float) -> tuple[GreyImage, GreyImage]:
    """Ink that may be letters, and all other ink."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    low = stats[:, cv2.CC_STAT_HEIGHT] <= max_height
    small = low & (stats[:, cv2.CC_STAT_WIDTH] <= _MAX_LETTER_WIDTHS * max_height)
    small[0] = False
    letters = small[labels].astype(np.uint8)
    return letters, ink & (1 - letters)


def _reading_order(lines: list[LineBox]) -> list[LineBox]:
    """Top to bottom, left to right among lines whose middles lie on one height."""
    rows: list[list[LineBox]] = []
    for line in sorted(lines, key=lambda line: line.top + line.height / 2):
        first = rows[-1][0] if rows else None
        if first is not None and line.top + line.height / 2 < first.top + first.height:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]
