"""What a page shows, in every way that a TIFF may store it: against the drawing, and against another reader."""

import re

import numpy as np
import pytest
from PIL import Image

from doc_assets.faults import DocumentState
from doc_assets_tests.reading.independent import needs_imagemagick, read_all
from doc_assets_tests.reading.page_variants import variants
from doc_assets_tests.shared import SHARED, needs_shared

pytestmark = pytest.mark.whole

NEAR, SAME = 3.0, 0.6
IMAGEMAGICK_IS_WRONG = {
    r"white-is-zero(2|3|4|5|6|7|10|12|14|24|32)-": "inverts white-is-zero pages of 1, 8 and 16 bits only",
    r"float-white-is-zero": "does not invert floating samples",
    r"(grey|rgb|planes|white-is-zero)24-": "takes 24 bits as 32",
    r"(grey|rgb|planes|white-is-zero)64-": "refuses 64 bits",
    r"float-to-255": "takes floating samples as 0 to 1 and shows the rest white",
    r"signed-(moved|positive|white-is-zero)": "takes signed samples as bits, in 16-bit grey as moved",
    r"signed-bits16": "takes 16-bit grey as moved, though it writes bits",
    r"(rgb|grey)-extra": "takes samples of no stated meaning for transparency",
    r"(grey-alpha|grey-extra|white-is-zero-alpha)": "mixes planes of grey and alpha up, inverts alpha too",
    r"cmyk-(alpha|extra)": "composes inks with paper before it converts them",
    r"ycbcr": "reads shared chroma as pixels, and ignores reference black and white",
    r"(icclab|itulab)": "takes every Lab for CIELab",
}  # fmt: skip
"""Variants on which the drawing is the third opinion, and why."""

OTHER_READINGS = {
    "no_rows_per_strip": "ImageMagick refuses a page that does not say what its samples mean",
    "old-style-jpeg-compression": "ImageMagick shows its luma and chroma as red, green and blue",
}


def _looked_at(reader, content):
    pages = []
    report = reader.read(content, lambda page: pages.append(page.pixels))
    return report, pages


@pytest.fixture(scope="module")
def drawn_variants(reader):
    """Every variant and what the reader says it shows."""
    return [(variant, *_looked_at(reader, variant.content)) for variant in variants()]


def test_every_variant_shows_what_was_drawn(drawn_variants):
    wrong = []
    for variant, report, pages in drawn_variants:
        if report.state != DocumentState.OK or pages[0].shape != variant.shows.shape:
            wrong.append(f"{variant.name}: {report.state} {report.reason}")
        elif (difference := np.abs(pages[0] - variant.shows).mean()) > SAME:
            wrong.append(f"{variant.name}: {difference:.1f} levels off")

    assert len(drawn_variants) > 300
    assert not wrong


@needs_imagemagick
def test_another_reader_sees_the_same_variants(drawn_variants, tmp_path):
    (tmp_path / "seen").mkdir()
    wrong, judged = [], 0
    for variant, *_ in drawn_variants:
        (tmp_path / f"{variant.name}.tif").write_bytes(variant.content)
    seen = read_all(tmp_path.glob("*.tif"), tmp_path / "seen")
    for variant, _, pages in drawn_variants:
        if any(re.match(pattern, variant.name) for pattern in IMAGEMAGICK_IS_WRONG):
            continue
        judged += 1
        wrong += _unlike(variant.name, pages, seen[tmp_path / f"{variant.name}.tif"])

    assert judged > 200
    assert not wrong


@pytest.mark.slow
@needs_imagemagick
@needs_shared
def test_another_reader_sees_the_same_real_pages(reader, tmp_path):
    files = [*(SHARED / "tifs").glob("*/*.tif*"), *(SHARED / "cases" / "pages").glob("*.tif")]
    ours = {file: _looked_at(reader, file.read_bytes()) for file in files}
    seen = read_all((file for file, (_, pages) in ours.items() if pages), tmp_path)
    wrong = [f"{file.name}: no reason" for file, (report, pages) in ours.items() if not pages and not report.reason]
    for file, others in seen.items():
        if file.stem not in OTHER_READINGS:
            wrong += _unlike(file.name, ours[file][1], _without_thumbnails(file, others))

    assert len(seen) > 30
    assert not wrong


def _without_thumbnails(file, pages):
    return pages[:1] if "thumbnail" in file.name else pages


def _unlike(name, pages, others):
    """In words, where our pages differ from another reader's in number, size or by more than three levels."""
    if len(pages) != len(others):
        return [f"{name}: {len(pages)} pages, the other reader sees {len(others)}"]
    found = []
    for page, other in zip(pages, others, strict=True):
        if page.shape != other.shape and 1 in np.divide(page.shape[:2], other.shape[:2]):  # made square
            other = np.asarray(Image.fromarray(other).resize(page.shape[1::-1], Image.Resampling.BILINEAR))  # noqa: PLW2901
        if page.shape != other.shape:
            found.append(f"{name}: {page.shape}, the other reader sees {other.shape}")
        elif (difference := np.abs(page.astype(float) - other).mean()) > NEAR:
            found.append(f"{name}: {difference:.1f} levels from the other reader")
    return found
