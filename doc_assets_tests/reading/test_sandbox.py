import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from doc_assets.faults import DocumentState, FaultCode
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets_tests.reading.tiffs import pillow_tif, raw_tif, scan, tifffile_tif

PAGE = scan()
GREY = np.asarray(Image.fromarray(PAGE).convert("L"))
BITS = GREY > 128


def _read(reader, content):
    pages = []
    report = reader.read(content, pages.append)
    return report, [page.pixels for page in pages]


def _cmyk(page):
    return np.asarray(Image.fromarray(page).convert("CMYK"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("uncompressed", pillow_tif(PAGE), PAGE),
        ("lzw", pillow_tif(PAGE, compression="tiff_lzw"), PAGE),
        ("deflate", pillow_tif(PAGE, compression="tiff_adobe_deflate"), PAGE),
        ("packbits", pillow_tif(PAGE, compression="packbits"), PAGE),
        ("jpeg", pillow_tif(PAGE, compression="jpeg", quality=100), PAGE),
        ("fax g4", pillow_tif(PAGE, mode="1", compression="group4"), None),
        ("fax g3", pillow_tif(PAGE, mode="1", compression="group3"), None),
        ("grey", pillow_tif(PAGE, mode="L"), np.repeat(GREY[:, :, None], 3, 2)),
        ("palette", pillow_tif(PAGE, mode="P"), None),
        ("cmyk", pillow_tif(PAGE, mode="CMYK"), np.asarray(Image.fromarray(_cmyk(PAGE), "CMYK").convert("RGB"))),
        ("16-bit grey", tifffile_tif(GREY.astype(np.uint16) * 257), np.repeat(GREY[:, :, None], 3, 2)),
        ("16-bit rgb", tifffile_tif(PAGE.astype(np.uint16) * 257, photometric="rgb"), PAGE),
        ("32-bit float", tifffile_tif((GREY / 255).astype(np.float32)), None),
        ("white is zero", tifffile_tif(255 - GREY, photometric="miniswhite"), np.repeat(GREY[:, :, None], 3, 2)),
        ("planar", tifffile_tif(np.moveaxis(PAGE, -1, 0), photometric="rgb", planarconfig="separate"), PAGE),
        ("tiled", tifffile_tif(PAGE, photometric="rgb", tile=(32, 32)), PAGE),
        ("tiled planar lzw", tifffile_tif(np.moveaxis(PAGE, -1, 0), photometric="rgb", planarconfig="separate",
                                          tile=(32, 32), compression="lzw"), PAGE),
        ("big tiff", tifffile_tif(PAGE, photometric="rgb", bigtiff=True), PAGE),
        ("big-endian", tifffile_tif(PAGE, photometric="rgb", byteorder=">"), PAGE),
        ("big-endian big tiff", tifffile_tif(PAGE, photometric="rgb", byteorder=">", bigtiff=True), PAGE),
        ("ycbcr jpeg", tifffile_tif(PAGE, photometric="rgb", compression="jpeg", compressionargs={"level": 100}), PAGE),
        ("zstd", tifffile_tif(PAGE, photometric="rgb", compression="zstd"), PAGE),
    ],
)  # fmt: skip
def test_every_kind_of_page_gives_the_picture_a_person_sees(reader, name, content, expected):
    report, (pixels,) = _read(reader, content)

    assert (report.state, report.n_pages, report.reason) == (DocumentState.OK, 1, "")
    assert (pixels.shape, pixels.dtype) == (PAGE.shape, np.uint8)
    tolerance = 6.0 if "jpeg" in name else 1.0  # chroma is stored for four pixels at once
    if expected is None:
        expected, tolerance = PAGE, 40.0  # few shades: compare the look, not the value
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("writer", ["pillow", "tifffile"])
def test_pages_are_turned_upright(reader, orientation, writer):
    stored = {
        1: PAGE, 2: PAGE[:, ::-1], 3: PAGE[::-1, ::-1], 4: PAGE[::-1],
        5: PAGE.transpose(1, 0, 2), 6: np.rot90(PAGE), 7: PAGE[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PAGE, -1),
    }[orientation]  # fmt: skip
    if writer == "pillow":
        content = pillow_tif(np.ascontiguousarray(stored), tiffinfo={274: orientation})
    else:  # a big-endian BigTIFF: Pillow cannot read it, tifffile is asked
        tags = [(274, "H", 1, orientation, False)]
        content = tifffile_tif(
            np.ascontiguousarray(stored), photometric="rgb", byteorder=">", bigtiff=True, extratags=tags
        )

    _, (pixels,) = _read(reader, content)

    np.testing.assert_array_equal(pixels, PAGE)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_white_paper(reader, mode):
    layered = Image.fromarray(PAGE).convert(mode)
    mask = np.full(PAGE.shape[:2], 255, np.uint8)
    mask[:50] = 0
    layered.putalpha(Image.fromarray(mask))
    content = io.BytesIO()
    layered.save(content, "TIFF")

    _, (pixels,) = _read(reader, content.getvalue())

    assert (pixels[:50] == 255).all()
    assert (pixels[50:].astype(int).std(axis=(0, 1)) > 10).all()


def test_a_16_bit_page_is_not_white(reader):
    grey = np.full((40, 30), 194 * 257, np.uint16)

    _, (pixels,) = _read(reader, tifffile_tif(grey))

    assert int(pixels.mean()) == 194


def test_a_corrupt_page_in_the_middle_is_named_and_the_others_are_used(reader):
    content = bytearray(pillow_tif(scan(seed=1), scan(seed=2), scan(seed=3), compression="tiff_lzw"))
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        at, n = tif.pages[1].dataoffsets[0], tif.pages[1].databytecounts[0]
    content[at : at + n] = b"\xff" * n

    report, pages = _read(reader, bytes(content))

    assert report.state == DocumentState.PARTIAL
    assert report.pages_read == (0, 2)
    assert [(fault.code, fault.page_index) for fault in report.faults] == [(FaultCode.DAMAGED, 1)]
    np.testing.assert_array_equal(pages[1], scan(seed=3))


def test_a_file_cut_short_keeps_its_whole_pages_or_is_rejected(reader):
    content = pillow_tif(*(scan(seed=i) for i in range(3)), compression="tiff_lzw")
    states = {}
    for share in (0.1, 0.5, 0.7, 0.95):
        report = reader.read(content[: int(len(content) * share)])
        states[share] = report.state
        assert report.faults
        assert report.state in {DocumentState.PARTIAL, DocumentState.REJECTED}
    assert states[0.1] == DocumentState.REJECTED
    assert states[0.95] == DocumentState.PARTIAL


def test_a_damaged_fax_is_refused_although_it_decodes(reader):
    content = bytearray(pillow_tif(scan(800, 600), mode="1", compression="group4"))
    with tifffile.TiffFile(io.BytesIO(content)) as tif:
        at, n = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    content[at + n // 3 : at + n // 2] = b"\x55" * (n // 2 - n // 3)

    report = reader.read(bytes(content))

    assert report.state == DocumentState.REJECTED
    assert report.faults[0].code == FaultCode.DAMAGED


def test_a_bomb_is_refused_before_it_is_decoded(reader):
    bomb = pillow_tif(np.zeros((6000, 6000), np.uint8), mode="1", compression="group4")
    small = DocumentReader(ReaderLimits(Limits(max_page_px=1_000_000)))
    with small:
        report = small.read(bomb)

    assert report.faults[0].code == FaultCode.PAGE_TOO_LARGE
    assert "DOC_ASSETS_MAX_PAGE_PX" in report.reason
    assert reader.read(bomb).state == DocumentState.OK


def test_memory_beyond_the_limit_is_a_recorded_fault_and_the_next_document_is_read():
    large = pillow_tif(np.zeros((12_000, 12_000), np.uint8), mode="L", compression="tiff_adobe_deflate")
    with DocumentReader(ReaderLimits(memory_bytes=100 << 20)) as tight:
        report = tight.read(large)
        after = tight.read(pillow_tif(PAGE))

    assert report.state == DocumentState.REJECTED
    assert report.faults[0].code in {FaultCode.MEMORY, FaultCode.CRASH}
    assert after.state == DocumentState.OK


@pytest.mark.whole
def test_time_beyond_the_limit_ends_the_document_not_the_batch():
    pages = np.random.default_rng(1).integers(0, 256, (12, 1500, 1500), np.uint8)
    slow = tifffile_tif(pages, compression="jpeg2000", photometric="minisblack")
    with DocumentReader(ReaderLimits(timeout_s=0.1, timeout_per_page_s=0.01)) as hurried:
        began = time.monotonic()
        report = hurried.read(slow)
        took = time.monotonic() - began
        after = hurried.read(pillow_tif(PAGE))

    assert report.faults[-1].code == FaultCode.TIMEOUT
    assert took < 20
    assert after.state == DocumentState.OK


def test_a_file_over_the_size_limit_is_not_even_sent():
    with DocumentReader(ReaderLimits(max_file_bytes=100)) as small:
        report = small.read(bytes(101))

    assert report.faults[0].code == FaultCode.FILE_TOO_LARGE


def test_an_error_of_the_caller_does_not_spoil_the_next_document(reader):
    def fail(_page):
        raise KeyError("mine")

    with pytest.raises(KeyError):
        reader.read(pillow_tif(PAGE), fail)

    report, (pixels,) = _read(reader, pillow_tif(PAGE))
    assert report.state == DocumentState.OK
    np.testing.assert_array_equal(pixels, PAGE)


def test_a_document_of_thousands_of_pages_is_streamed(reader):
    n = 1500
    seen = []

    report = reader.read(raw_tif(*({} for _ in range(n))), lambda page: seen.append(page.page_index))

    assert report.state == DocumentState.OK
    assert seen == list(range(n))


def test_secrets_of_the_environment_do_not_reach_the_decoder(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_QDRANT_API_KEY", "hunter2")
    with DocumentReader() as opened:
        opened.read(pillow_tif(PAGE))
        decoder = opened._decoders._idle[0]
        environment = Path(f"/proc/{decoder.process.pid}/environ").read_bytes()

    assert b"hunter2" not in environment
    assert b"PATH=" in environment


def test_a_page_that_claims_more_data_than_the_file_has_is_refused(reader):
    report = reader.read(raw_tif({256: ("H", 400), 257: ("H", 300), 278: ("H", 300)}))

    assert report.state == DocumentState.REJECTED
    assert report.faults[0].code == FaultCode.TRUNCATED


def test_closing_ends_every_decoder_process():
    reader = DocumentReader(workers=3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(reader.read, [pillow_tif(PAGE)] * 30))
    processes = [decoder.process for decoder in reader._decoders._idle]
    assert processes

    reader.close()

    assert all(process.poll() is not None for process in processes)
