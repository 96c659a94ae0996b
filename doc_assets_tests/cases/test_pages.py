"""Pages that once came out black, negative, cut, twice or not at all, and their kind.

Right values come from ImageMagick and tifffile: a page of 620 x 877 pixels, of a mean of about 209 levels, with one
photo of about 449 x 314 pixels at 86, 201.
"""

import io
import json
import shutil
import struct

import numpy as np
import pytest
import tifffile

from doc_assets.datatypes import Box
from doc_assets.faults import DocumentState, FaultCode
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets_tests.page_finding import need_tesseract
from doc_assets_tests.program import Program
from doc_assets_tests.reading import tiff_writer as tiff
from doc_assets_tests.reading.tiffs import pillow_tif, scan, tifffile_tif
from doc_assets_tests.shared import SHARED

CASES = SHARED / "cases" / "pages"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}")
PHOTO = Box(86, 201, 86 + 449, 201 + 314)
PREMATURE = "Premature end of JPEG file"


def _read(reader, content):
    pages = []
    report = reader.read(content, pages.append)
    return report, pages


@needs_cases
@pytest.mark.parametrize(
    ("name", "n_pages"),
    [
        ("T2_grey16_miniswhite.tif", 1),
        ("T9b_tag255_thumbnail.tif", 1),
        ("T10_all_pages_reduced.tif", 2),
        ("T18_palette_8bit_map.tif", 1),
        ("T19_uint32_minisblack.tif", 1),
        ("T20_webp.tif", 1),
    ],
)
def test_the_page_and_its_photo_are_right(reader, cutter, name, n_pages):
    report, pages = _read(reader, (CASES / name).read_bytes())
    photos = cutter.of_document(report.reason)

    assert (report.state, report.reason, len(pages)) == (DocumentState.OK, "", n_pages)
    for page in pages:
        assert page.pixels.shape == (877, 620, 3)
        assert page.pixels.mean() == pytest.approx(209, abs=2)
        (photo,) = photos.photos(page)
        assert photo.box.overlap(PHOTO) > 0.98


@needs_cases
def test_a_jpeg_that_ends_early_is_refused(reader):
    report, pages = _read(reader, (CASES / "T8_jpeg_ends_early.tif").read_bytes())

    assert (report.state, pages) == (DocumentState.REJECTED, [])
    assert PREMATURE in report.reason


@needs_cases
def test_a_coarse_fax_is_read_and_its_photo_is_not_squeezed(reader, cutter):
    report, (page,) = _read(reader, (CASES / "b_fax_204x98.tif").read_bytes())
    (photo,) = cutter.of_document("fax").photos(page)

    assert report.state == DocumentState.OK
    assert page.pixels.shape == (round(1146 * 204 / 98), 1728, 3)
    assert photo.box.width / photo.box.height == pytest.approx(449 / 314, rel=0.03)


@pytest.mark.whole
@needs_cases
def test_the_text_of_a_coarse_fax_is_found_and_its_photo_is_extracted(tmp_path):
    need_tesseract()
    (tmp_path / "fax").mkdir()
    shutil.copyfile(CASES / "b_fax_204x98.tif", tmp_path / "fax" / "b_fax_204x98.tif")
    program = Program(tmp_path)

    (row,) = program.json("find-pages", "--folder", "fax", "--text", "가맹점 실사 사진")
    cut = program("extract-photos", "--folder", "fax", "--output-folder", "cut")

    assert row["found"] is True
    assert cut.returncode == 0
    (document,) = json.loads((tmp_path / "cut" / "photos.json").read_text(encoding="utf-8"))
    (photo,) = document["photos"]
    left, top, right, bottom = photo["box"]  # in pixels of the square page, as the file itself
    assert (photo["width"] / photo["height"]) == pytest.approx((right - left) / (bottom - top), rel=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dots", [(204, 98), (204, 196), (200, 400), (300, 300)])
def test_pages_are_square_and_upright(reader, orientation, dots):
    """A circle drawn on paper is one on the page, however it was scanned and turned."""
    x, y = dots
    down, across = np.mgrid[0 : 1 : 1j * y, 0 : 1 : 1j * x]  # an inch each way
    disc = np.where((across - 0.5) ** 2 + (down - 0.5) ** 2 < 0.16, 0.0, 1.0)
    stored = {1: disc, 2: disc[:, ::-1], 3: disc[::-1, ::-1], 4: disc[::-1], 5: disc.T, 6: np.rot90(disc),
              7: disc[::-1, ::-1].T, 8: np.rot90(disc, -1)}[orientation]  # fmt: skip
    on_file = (y, x) if orientation > 4 else (x, y)
    tags = {274: ("H", [orientation]), 282: ("R", [(on_file[0], 1)]), 283: ("R", [(on_file[1], 1)])}
    content = tiff.tif(np.ascontiguousarray(stored)[:, :, None], 1, 1, tags=tags)

    _, (page,) = _read(reader, content)

    dark = page.pixels[:, :, 0] < 128
    assert np.ptp(np.flatnonzero(dark.any(0))) == pytest.approx(np.ptp(np.flatnonzero(dark.any(1))), abs=3)
    assert page.pixels.shape[1] == pytest.approx(page.pixels.shape[0], rel=0.02)


@pytest.mark.parametrize(
    "resolution", [((0, 1), (98, 1)), ((204, 0), (98, 0)), ((20400, 1), (98, 1)), ((301, 1), (300, 1))]
)
def test_a_resolution_that_cannot_be_meant_changes_nothing(reader, resolution):
    x, y = resolution
    grey = np.full((40, 30, 1), 200)

    _, (page,) = _read(reader, tiff.tif(grey, 8, 1, tags={282: ("R", [x]), 283: ("R", [y])}))

    assert page.pixels.shape == (40, 30, 3)


def test_a_square_page_keeps_to_the_limit_of_pixels():
    tags = {282: ("R", [(204, 1)]), 283: ("R", [(98, 1)])}
    content = tiff.tif(np.full((100, 200, 1), 200), 8, 1, tags=tags)
    with DocumentReader(ReaderLimits(Limits(max_page_px=25_000))) as small:
        _, (page,) = _read(small, content)

    assert page.pixels.shape == (100, 96, 3)


# ---------------------------------------------------------------------------------------------- thumbnails and masks


@pytest.mark.parametrize(
    ("subfiles", "n_pages"),
    [
        ([{}, {254: 1}], 1),
        ([{254: 1}, {}], 1),
        ([{}, {255: 2}], 1),
        ([{255: 1}, {255: 1}], 2),
        ([{255: 3}, {255: 3}], 2),
        ([{254: 2}, {254: 2}], 2),
        ([{254: 1}, {254: 1}, {254: 1}], 3),
        ([{255: 2}, {255: 2}], 2),
        ([{254: 3}, {254: 1}], 2),
        ([{}, {254: 4}], 1),
        ([{254: 1}, {254: 5}], 1),
        ([{254: 4}, {}], 1),
    ],
)
def test_thumbnails_and_masks_are_no_pages_but_where_nothing_else_is_there(reader, subfiles, n_pages):
    pages = []
    for tags in subfiles:
        entries = {256: ("I", [20]), 257: ("I", [10]), 258: ("H", [8]), 259: ("H", [1]), 262: ("H", [1]),
                   277: ("H", [1]), 278: ("I", [10])}  # fmt: skip
        pages.append(([bytes(200)], entries | {number: ("I", [value]) for number, value in tags.items()}, False))

    report, seen = _read(reader, tiff.document(pages))

    assert (report.state, report.n_pages, len(seen)) == (DocumentState.OK, n_pages, n_pages)


# ---------------------------------------------------------------------------------------------- damaged compressed data

PAGE = scan(400, 300)
JPEGS = {
    "one strip": tifffile_tif(PAGE, photometric="rgb", compression="jpeg", rowsperstrip=400),
    "16 rows": tifffile_tif(PAGE, photometric="rgb", compression="jpeg", rowsperstrip=16),
    "tables apart": pillow_tif(PAGE, compression="jpeg"),
    "grey": pillow_tif(PAGE, mode="L", compression="jpeg"),
    "inks": pillow_tif(PAGE, mode="CMYK", compression="jpeg"),
    "tiles": tifffile_tif(PAGE, photometric="rgb", compression="jpeg", tile=(64, 64)),
    "planes": tifffile_tif(np.moveaxis(PAGE, -1, 0), photometric="rgb", planarconfig="separate", compression="jpeg"),
    "other order": tifffile_tif(PAGE, photometric="rgb", compression="jpeg", byteorder=">", bigtiff=True),
}


def _strip(content):
    """Offset and length of the largest strip, and where its length is stored, with its format."""
    with tifffile.TiffFile(io.BytesIO(content)) as document:
        page = document.pages[0]
        counts = page.tags.get(279) or page.tags[325]
        letter = document.byteorder + {3: "H", 4: "I", 16: "Q"}[int(counts.dtype)]
        index = int(np.argmax(page.databytecounts))
        at = counts.valueoffset + struct.calcsize(letter) * index
        return page.dataoffsets[index], page.databytecounts[index], at, letter


def _shortened(content, share=1.0, less=0):
    _, length, at, letter = _strip(content)
    changed = bytearray(content)
    struct.pack_into(letter, changed, at, int(length * share) - less)
    return bytes(changed)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_without_its_end_mark_stays_readable(reader, kind):
    _, (whole,) = _read(reader, JPEGS[kind])
    for less in (1, 2):
        report, (page,) = _read(reader, _shortened(JPEGS[kind], less=less))

        assert (report.state, report.reason) == (DocumentState.OK, "")
        np.testing.assert_array_equal(page.pixels, whole.pixels)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_whose_data_ends_early_or_was_overwritten_is_refused(reader, kind):
    offset, length, _, _ = _strip(JPEGS[kind])
    middle = offset + length // 2
    ended = bytearray(JPEGS[kind])
    ended[middle : middle + 2] = b"\xff\xd9"
    blank = bytearray(JPEGS[kind])
    blank[middle : offset + length] = bytes(offset + length - middle)
    for content in (_shortened(JPEGS[kind], 0.5), _shortened(JPEGS[kind], less=20), bytes(ended), bytes(blank)):
        report, pages = _read(reader, content)

        assert (report.state, pages) == (DocumentState.REJECTED, [])
        assert report.faults[0].code == FaultCode.DAMAGED
        assert PREMATURE in report.reason


def test_flipped_bytes_in_a_jpeg_are_noticed(reader):
    rng = np.random.default_rng(1)
    offset, length, _, _ = _strip(JPEGS["one strip"])
    refused = 0
    for _ in range(40):
        content = bytearray(JPEGS["one strip"])
        for at in rng.integers(offset + length // 10, offset + length, 20):
            content[at] ^= int(rng.integers(1, 256))
        refused += _read(reader, bytes(content))[0].state == DocumentState.REJECTED

    assert refused >= 36  # a code that is exchanged for another one of its length shows nowhere


@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_ccitt"])
def test_a_fax_that_ends_early_is_refused(reader, compression):
    report, pages = _read(reader, _shortened(pillow_tif(scan(600, 400), mode="1", compression=compression), 0.5))

    assert (report.state, pages) == (DocumentState.REJECTED, [])


def test_a_noisy_row_of_a_fax_is_told_and_the_page_is_used(reader):
    content = bytearray(pillow_tif(scan(1000, 800), mode="1", compression="group3"))
    _, (whole,) = _read(reader, bytes(content))
    offset, length, _, _ = _strip(bytes(content))
    content[offset + length // 2] ^= 0xFF

    report, (page,) = _read(reader, bytes(content))

    assert report.state == DocumentState.PARTIAL
    assert "fax rows are damaged; the page is used" in report.reason
    assert np.abs(page.pixels.astype(int) - whole.pixels).mean() < 1


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "packbits", "zstd", "lzma"])
def test_packed_data_that_ends_early_is_refused(reader, compression):
    report, pages = _read(reader, _shortened(pillow_tif(PAGE, compression=compression), 0.5))

    assert (report.state, pages) == (DocumentState.REJECTED, [])


def test_the_checksum_of_deflate_data_is_compared(reader):
    content = bytearray(pillow_tif(PAGE, compression="tiff_adobe_deflate"))
    offset, length, _, _ = _strip(bytes(content))
    content[offset + length - 1] ^= 1

    report, _ = _read(reader, bytes(content))

    assert report.state == DocumentState.REJECTED
    assert "check" in report.reason


# ------------------------------------------------------------------------------------ codecs that one library knows


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "jpegxl", "jpegxr", "png", "lerc", "zstd", "lzma"])
def test_a_library_that_does_not_know_a_codec_spoils_nothing(reader, compression):
    options = {"compressionargs": {"lossless": True}} if compression in {"webp", "jpegxl"} else {}
    report, (page,) = _read(reader, tifffile_tif(PAGE, photometric="rgb", compression=compression, **options))

    assert (report.state, report.reason) == (DocumentState.OK, "")
    assert np.abs(page.pixels.astype(int) - PAGE).mean() < 1


# ------------------------------------------------------------------------------------------------- size and memory


@pytest.mark.alike(1)
@pytest.mark.parametrize("kind", ["uncompressed", "deflate", "jpeg", "jpeg in one strip"])
def test_a_colour_page_of_the_largest_size_is_decoded_within_the_memory_of_a_decoder(kind):
    """The proportion of the defaults, a tenth of their size; above it the page is refused by name."""
    share = 10
    limits = ReaderLimits(
        Limits(max_page_px=Limits().max_page_px // share), memory_bytes=ReaderLimits().memory_bytes // share
    )
    side = int(limits.structure.max_page_px**0.5)
    page = np.full((side, side, 3), 200, np.uint8)
    content = {
        "uncompressed": lambda: pillow_tif(page),
        "deflate": lambda: pillow_tif(page, compression="tiff_adobe_deflate"),
        "jpeg": lambda: tifffile_tif(page, photometric="rgb", compression="jpeg", rowsperstrip=16),
        "jpeg in one strip": lambda: tifffile_tif(page, photometric="rgb", compression="jpeg"),
    }[kind]()
    with DocumentReader(limits) as reader:
        report, pages = _read(reader, content)
        larger = reader.read(pillow_tif(np.full((side + 100, side, 3), 200, np.uint8), compression="tiff_lzw"))

    assert (report.state, report.reason) == (DocumentState.OK, "")
    assert pages[0].pixels.shape == page.shape
    assert larger.faults[0].code == FaultCode.PAGE_TOO_LARGE
    assert "DOC_ASSETS_MAX_PAGE_PX" in larger.reason


def test_a_page_of_deep_colour_that_needs_more_memory_is_refused_by_name():
    page = np.zeros((2000, 2000, 4), np.uint16)
    with DocumentReader(ReaderLimits(memory_bytes=40 << 20)) as tight:
        report = tight.read(tifffile_tif(page, photometric="separated", compression="zlib"))
        after = tight.read(pillow_tif(PAGE))

    assert report.faults[0].code == FaultCode.MEMORY
    assert "DOC_ASSETS_DECODE_MEMORY_BYTES" in report.reason
    assert after.state == DocumentState.OK
