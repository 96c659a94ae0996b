"""Small pictures and PDFs, good and bad."""

import io
import zlib

import numpy as np
from PIL import Image


def photo(height=240, width=320, seed=0):
    """(H, W, 3): soft shades and shapes without any margin of paper, upright and mirror told apart."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (8, 10, 3), np.uint8)
    picture = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()
    picture[height // 8 : height // 3, width // 8 : width // 3] = (200, 30, 30)
    return picture


def encoded(pixels, form, **options):
    """The picture as a file; ``mode`` converts it first."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    mode = options.pop("mode", None)
    content = io.BytesIO()
    (image.convert(mode) if mode else image).save(content, form, **options)
    return content.getvalue()


def pdf(*pages, tail=b""):
    """A PDF of pages: (width, height in points, content stream, {name: image object}), or a JPEG for all of it."""
    objects = [b"", b""]
    kids = []
    for width, height, stream, images in map(_page, pages):
        names = b""
        for name, image in images.items():
            objects.append(image)
            names += b"/%s %d 0 R " % (name.encode(), len(objects))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        font = b"/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
        resources = b"<< /XObject << %s >> %s >>" % (names, font)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources %s >>"
            % (width, height, len(objects), resources)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return _joined(objects) + tail


def _page(page):
    if isinstance(page, tuple):
        return page
    return (*_size_of(page), b"q %d 0 0 %d 0 0 cm /I Do Q" % _size_of(page), {"I": _jpeg_object(page)})


def _size_of(jpeg):
    return Image.open(io.BytesIO(jpeg)).size


def _jpeg_object(jpeg):
    return image_object(jpeg, *_size_of(jpeg), b"/DCTDecode")


def raw_object(pixels, *, kept=1.0):
    """The pixels as a packed stream, or only the first part of them."""
    raw = pixels.tobytes()
    return image_object(zlib.compress(raw[: int(len(raw) * kept)]), pixels.shape[1], pixels.shape[0], b"/FlateDecode")


def image_object(stream, width, height, packing):
    head = b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8" % (
        width,
        height,
    )
    return head + b" /Filter %s /Length %d >>\nstream\n%s\nendstream" % (packing, len(stream), stream)


def _joined(objects):
    content, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
