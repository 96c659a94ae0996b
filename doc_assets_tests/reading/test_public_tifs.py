"""Real odd and broken TIFFs from other projects' test suites."""

import time

import cv2
import numpy as np
import pytest

from doc_assets.faults import DocumentState, FaultCode
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets_tests.shared import SHARED, needs_shared

ODD = sorted((SHARED / "tifs" / "odd").glob("*"))
MALFORMED = sorted((SHARED / "tifs" / "malformed").glob("*"))
pytestmark = needs_shared


@pytest.fixture(scope="module")
def frugal():
    """A reader whose decoders may take little memory, and 5 s of CPU time."""
    with DocumentReader(ReaderLimits(memory_bytes=400 << 20, timeout_s=4, timeout_per_page_s=0)) as opened:
        yield opened


@pytest.mark.parametrize("path", ODD, ids=lambda path: path.name)
def test_an_odd_tif_is_read_whole(reader, path):
    pages = []

    report = reader.read(path.read_bytes(), pages.append)

    assert (report.state, report.reason) == (DocumentState.OK, "")
    assert len(pages) == report.n_pages > 0


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.name)
def test_a_malformed_tif_ends_with_a_reason_quickly_and_in_little_memory(frugal, path):
    began = time.process_time()

    report = frugal.read(path.read_bytes())

    assert report.state in {DocumentState.REJECTED, DocumentState.PARTIAL}
    assert report.reason
    assert time.process_time() - began < 5
    assert not {FaultCode.MEMORY, FaultCode.CRASH, FaultCode.TIMEOUT} & {fault.code for fault in report.faults}


def test_all_eight_orientations_show_the_same_upright_picture(reader):
    pictures = []
    for orientation in range(1, 9):
        path = SHARED / "tifs" / "odd" / f"g4_orientation_{orientation}.tif"
        reader.read(path.read_bytes(), lambda page: pictures.append(page.pixels))

    assert {picture.shape for picture in pictures} == {pictures[0].shape}
    for picture in pictures[1:]:
        assert np.abs(picture.astype(int) - pictures[0]).mean() < 12  # each was compressed on its own


@pytest.mark.alike(3)
@pytest.mark.parametrize(
    "name",
    [
        "testfax4.tiff",
        "tiff_tiled_planar_lzw.tiff",
        "16bit.MM.deflate.tif",
        "hopper_bigtiff.tif",
        "packbits-fillorder-2.tif",
        "quad-tile.jpg.tiff",
        "palette-1c-1b.tiff",
        "g4_orientation_1.tif",
        "tiff_strip_ycbcr_jpeg_2x2_sampling.tif",
    ],
)
def test_pixels_agree_with_a_reference_reader(reader, name):
    path = SHARED / "tifs" / "odd" / name
    pages = []
    reader.read(path.read_bytes(), pages.append)

    reference = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]

    assert np.abs(pages[0].pixels.astype(int) - reference).mean() <= 2
