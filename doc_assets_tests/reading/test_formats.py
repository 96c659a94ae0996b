"""Pictures and PDFs through the decoder child, as documents are read."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import DocumentState
from doc_assets.reading.formats import Kind, kind_of
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import DocumentReader, ReaderLimits
from doc_assets_tests.reading.pictures import encoded, image_object, pdf, photo, raw_object
from doc_assets_tests.reading.tiffs import pillow_tif, scan

PHOTO = photo()
FORMS = {
    "JPEG": encoded(PHOTO, "JPEG", quality=95, subsampling=0),
    "PNG": encoded(PHOTO, "PNG"),
    "WEBP": encoded(PHOTO, "WEBP", lossless=True),
    "BMP": encoded(PHOTO, "BMP"),
    "PDF": pdf(encoded(PHOTO, "JPEG", quality=95, subsampling=0)),
}


def _read(reader, content):
    pages = []
    report = reader.read(content, pages.append)
    return report, pages


def _only(reader, content):
    report, (page,) = _read(reader, content)
    assert (report.state, report.reason) == (DocumentState.OK, "")
    return page


def _difference(page, wanted):
    assert page.shape == wanted.shape
    return float(np.abs(page.astype(int) - wanted).mean())


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_picture_and_may_be_a_bare_photo(reader, form):
    page = _only(reader, FORMS[form])

    assert _difference(page.pixels, PHOTO) <= 3
    assert page.is_picture


def test_a_tif_is_no_picture(reader):
    assert not _only(reader, pillow_tif(scan())).is_picture


@pytest.mark.parametrize(
    ("content", "kind"),
    [*((content, Kind(form.replace("WEBP", "WebP"))) for form, content in FORMS.items()), (pillow_tif(scan()), "TIFF")],
)
def test_a_format_is_told_by_content(content, kind):
    assert kind_of(content[:1024]) == kind


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (encoded(PHOTO, "GIF"), "a GIF"), (b"PK\x03\x04" + bytes(60), "a ZIP or Office file"),
        (b"\0\0\0\x18ftypheic" + bytes(30), "a HEIC photo"), ("가나다 text\n".encode() * 200, "a text file"),
        (b"BM is how this text begins, and it is long", "a text file"), (bytes(2000), "zero bytes"),
        (b"\x01\x02\x03\x04garbage", "01 02 03 04"), (b"<html><body>", "an HTML page"), (b"", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "HWP"), (b"RIFF\0\0\0\0WAVE", "a RIFF file"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_rejected_and_named(reader, content, says):
    report, _ = _read(reader, content)

    assert report.state is DocumentState.REJECTED
    assert says in report.reason


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone(reader, form, orientation):
    turns = {
        1: PHOTO, 2: PHOTO[:, ::-1], 3: PHOTO[::-1, ::-1], 4: PHOTO[::-1], 5: PHOTO.transpose(1, 0, 2),
        6: np.rot90(PHOTO, 1), 7: PHOTO[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PHOTO, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(np.ascontiguousarray(turns[orientation]), form, quality=95, exif=exif.tobytes())

    assert _difference(_only(reader, content).pixels, PHOTO) <= 6


def test_a_broken_exif_block_spoils_nothing(reader):
    content = encoded(PHOTO, "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\x01garbage")

    assert _difference(_only(reader, content).pixels, PHOTO) <= 6


def _grey(mode="L"):
    return Image.fromarray(PHOTO).convert("L").convert(mode)


def _cmyk():
    """Ink as Adobe writes it, inverted; Pillow writes it so too."""
    return Image.fromarray(PHOTO).convert("CMYK")


PALETTE = Image.fromarray(PHOTO).quantize(256)
MODES = {
    "grey jpeg": (encoded(_grey(), "JPEG", quality=95), _grey()),
    "progressive": (encoded(PHOTO, "JPEG", quality=95, progressive=True), PHOTO),
    "cmyk jpeg": (encoded(_cmyk(), "JPEG", quality=95), PHOTO),
    "grey png": (encoded(_grey(), "PNG"), _grey()),
    "16 bit png": (
        encoded(Image.fromarray(np.asarray(_grey()).astype(np.uint16) * 257), "PNG"),
        _grey(),
    ),
    "1 bit png": (encoded(_grey("1"), "PNG"), _grey("1")),
    "palette png": (encoded(PALETTE, "PNG"), PALETTE),
    "palette bmp": (encoded(PALETTE, "BMP"), PALETTE),
    "webp, lossy": (encoded(PHOTO, "WEBP", quality=95), PHOTO),
}


@pytest.mark.parametrize("name", MODES)
def test_modes_of_colour(reader, name):
    content, wanted = MODES[name]
    wanted = np.asarray(wanted.convert("RGB")) if isinstance(wanted, Image.Image) else wanted

    assert _difference(_only(reader, content).pixels, wanted) <= 6


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_clear_is_white(reader, form, mode):
    layered = Image.fromarray(PHOTO).convert("RGBA")
    layered.putalpha(Image.fromarray(np.repeat([[0], [255]], 120, 0).repeat(320, 1).astype(np.uint8)))
    if mode == "LA" and form == "WEBP":
        pytest.skip("WebP has no grey")

    pixels = _only(reader, encoded(layered.convert(mode), form, lossless=True)).pixels

    assert (pixels[:119] == 255).all()
    assert pixels[125:].min() < 100


@pytest.mark.parametrize("form", ["WEBP", "PNG", "MPO"])
def test_of_several_pictures_the_first_counts(reader, form):
    frames = [Image.fromarray(photo(seed=seed)) for seed in (0, 1, 2)]
    content = encoded(frames[0], form, save_all=True, append_images=frames[1:], quality=95)

    assert _difference(_only(reader, content).pixels, PHOTO) <= 8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_picture_that_is_cut_short_is_rejected(reader, form, share):
    content = FORMS[form]

    report, pages = _read(reader, content[: int(len(content) * share)])

    assert report.state is DocumentState.REJECTED
    assert not pages
    assert report.reason_code in {"E_TRUNCATED", "E_DAMAGED"}


def test_a_jpeg_that_was_ended_early_is_rejected(reader):
    content = FORMS["JPEG"]

    report, _ = _read(reader, content[: len(content) // 2] + b"\xff\xd9")

    assert (report.state, report.reason_code) == (DocumentState.REJECTED, "E_DAMAGED")
    assert "premature end" in report.reason


def test_a_png_whose_checksum_fails_is_rejected(reader):
    content = bytearray(FORMS["PNG"])
    content[len(content) // 2] ^= 0xFF

    report, _ = _read(reader, bytes(content))

    assert (report.state, report.reason_code) == (DocumentState.REJECTED, "E_DAMAGED")
    assert "IDAT fails its checksum" in report.reason


def _huge_png(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9)) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded(reader):
    report, _ = _read(reader, _huge_png(60_000, 60_000))

    assert report.reason_code == "E_PAGE_TOO_LARGE"
    assert "60000 x 60000 pixels" in report.reason


def test_limits_of_pages_and_pixels_hold_for_all_formats():
    limits = ReaderLimits(structure=Limits(max_pages=2, max_page_px=50_000, max_document_px=90_000))
    with DocumentReader(limits) as reader:
        for form in ("JPEG", "PNG", "WEBP", "BMP"):
            assert _read(reader, FORMS[form])[0].reason_code == "E_PAGE_TOO_LARGE"
        drawn = (100, 100, b"0 0 50 50 re f", {})
        assert _read(reader, pdf(drawn, drawn, drawn))[0].reason_code == "E_TOO_MANY_PAGES"
        report, pages = _read(reader, pdf((500, 500, b"0 0 50 50 re f", {}), drawn))
        assert pages[0].pixels.shape[0] * pages[0].pixels.shape[1] <= 50_000
        assert (report.state, report.reason_code) == (DocumentState.PARTIAL, "E_DOCUMENT_TOO_LARGE")
        assert _read(reader, FORMS["PDF"])[0].reason_code == "E_PAGE_TOO_LARGE"


def test_pages_of_a_pdf_are_drawn_and_scans_keep_their_resolution(reader):
    jpeg = encoded(photo(600, 400), "JPEG", quality=95)
    text = (595, 842, b"BT /F 24 Tf 72 700 Td (Report) Tj ET", {})
    scanned = (288, 432, b"q 288 0 0 432 0 0 cm /I Do Q", {"I": image_object(jpeg, 400, 600, b"/DCTDecode")})
    placed = (595, 842, b"q 200 0 0 300 50 50 cm /I Do Q", {"I": image_object(jpeg, 400, 600, b"/DCTDecode")})

    report, pages = _read(reader, pdf(text, scanned, placed))

    assert report.state is DocumentState.OK
    assert [page.is_picture for page in pages] == [False, True, False]
    assert pages[0].pixels.shape == (2339, 1653, 3)  # 200 dpi
    assert pages[0].pixels.min() < 50
    assert pages[0].pixels[-200:].min() == 255
    assert _difference(pages[1].pixels, photo(600, 400)) <= 4
    assert pages[2].pixels.shape == (2339, 1653, 3)


def test_a_pdf_that_is_turned_is_upright(reader):
    content = FORMS["PDF"].replace(b"/Parent 2 0 R", b"/Rotate 90 /Parent 2 0 R")

    assert _difference(_only(reader, content).pixels, np.rot90(PHOTO, -1)) <= 4


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
def test_a_pdf_that_is_cut_short_is_never_ok(reader, share):
    content = pdf(*[encoded(photo(seed=seed), "JPEG") for seed in range(4)])

    report, _ = _read(reader, content[: int(len(content) * share)])

    assert report.state is not DocumentState.OK
    assert report.reason_code in {"E_TRUNCATED", "E_DAMAGED"}


def test_a_damaged_picture_on_a_page_makes_the_page_unusable(reader):
    jpeg = encoded(PHOTO, "JPEG")
    half = jpeg[: len(jpeg) // 2]
    place = b"q 320 0 0 240 0 0 cm /I Do Q"
    pages = [
        (320, 240, place, {"I": image_object(stream, 320, 240, b"/DCTDecode")}) for stream in (half, half + b"\xff\xd9")
    ]
    pages.append((320, 240, place, {"I": raw_object(PHOTO, kept=0.5)}))
    pages.append((320, 240, place, {"I": raw_object(PHOTO)}))

    report, read = _read(reader, pdf(*pages))

    assert [fault.page_index for fault in report.faults] == [0, 1, 2]
    assert [fault.code for fault in report.faults] == ["E_TRUNCATED", "E_DAMAGED", "E_TRUNCATED"]
    assert _difference(read[0].pixels, PHOTO) <= 3


def test_a_pdf_that_needs_a_password_says_so(reader):
    content = FORMS["PDF"].replace(
        b"/Size",
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (" + b"o" * 32 + b") /U (" + b"u" * 32 + b") >> "
        b"/ID [(a) (b)] /Size",
    )

    report, _ = _read(reader, content)

    assert (report.state, report.reason_code) == (DocumentState.REJECTED, "E_ENCRYPTED")
    assert "password" in report.reason


def test_a_pdf_that_a_program_draws_is_refused(reader):
    content = FORMS["PDF"].replace(
        b"/Type /Catalog", b"/AcroForm << /XFA [(template) 3 0 R] /Fields [] >> /NeedsRendering true /Type /Catalog"
    )

    report, _ = _read(reader, content)

    assert (report.state, report.reason_code) == (DocumentState.REJECTED, "E_UNSUPPORTED")


@pytest.mark.whole
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(FORMS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=20))
def test_no_flipped_bytes_break_the_reader(reader, form, flips):
    content = bytearray(FORMS[form])
    for at, value in flips:
        content[at % len(content)] = value

    report, pages = _read(reader, bytes(content))

    assert report.pages_read == tuple(page.page_index for page in pages)
    assert report.reason_code != "E_CRASH"


@given(st.binary(max_size=200))
def test_any_bytes_have_a_kind_or_a_reason(head):
    try:
        assert kind_of(head) in Kind
    except UnreadableDocumentError as error:
        assert str(error).isprintable()


def test_a_name_says_nothing(reader):
    """The reader is given bytes alone; that names do not matter is how it is called."""
    assert _only(reader, io.BytesIO(FORMS["PNG"]).getvalue()).pixels.shape == PHOTO.shape
