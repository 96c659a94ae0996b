"""How one TIFF page stores its samples: the tags that decide which reader takes it and which colours it shows."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Compression(IntEnum):
    """TIFF's tag 259, as far as readers differ."""

    NONE = 1
    RLE = 2
    G3 = 3
    G4 = 4
    LZW = 5
    OLD_JPEG = 6
    JPEG = 7
    DEFLATE = 8
    RLE_WORDS = 32771
    PACKBITS = 32773
    ADOBE_DEFLATE = 32946
    APERIO_YCBCR = 33003
    LERC = 34887
    LZMA = 34925
    ZSTD_OLD = 34926
    ZSTD = 50000


class Photometric(IntEnum):
    """TIFF's tag 262: what samples mean."""

    WHITE_IS_ZERO = 0
    BLACK_IS_ZERO = 1
    RGB = 2
    PALETTE = 3
    MASK = 4
    INKS = 5
    YCBCR = 6
    CIE_LAB = 8
    ICC_LAB = 9
    ITU_LAB = 10


class SampleKind(IntEnum):
    """TIFF's tag 339: how the bits of a sample are read."""

    UNSIGNED = 1
    SIGNED = 2
    FLOAT = 3


INTERLEAVED, SEPARATE = 1, 2
ASSOCIATED_ALPHA, ALPHA = 1, 2
CMYK_INKS = 1

FAX = frozenset({Compression.RLE, Compression.G3, Compression.G4, Compression.RLE_WORDS})
DEFLATE = frozenset({Compression.DEFLATE, Compression.ADOBE_DEFLATE})
PLAIN = frozenset(Compression) - FAX - {Compression.OLD_JPEG, Compression.JPEG}
"""Compressions that give back the samples as they were; the others are pictures of their own and come out as RGB."""

_BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 258, 259, 262, 274, 277
_X_RESOLUTION, _Y_RESOLUTION, _PLANAR, _COLORMAP, _INK_SET, _EXTRA, _KIND = 282, 283, 284, 320, 332, 338, 339
_DECODE, _LUMA, _SUBSAMPLING, _REFERENCE = 433, 529, 530, 532
_RESOLUTION_RATIO = (0.2, 5.0)
"""Pixels that are longer than this are a mistake in the tags; the coarsest fax has 204 x 98 dots per inch."""
_NEARLY_SQUARE = 0.01
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class PageLayout:
    """One page's storage.

    Attributes:
        compression, photometric, planar, orientation, kind: TIFF's numbers; see the enumerations above.
        bits: of the deepest sample.
        is_even: whether all samples have as many bits.
        samples: of a pixel, extra ones among them.
        extra: what the samples after the colours are, as far as the file says.
        ink_set: 1 for CMYK.
        subsampling: pixels across and down that share one pair of chroma samples.
        luma: shares of red, green and blue in Y.
        reference: codes of black and white of Y, Cb, Cr; of Lab the range of each channel. None for the usual ones.
        colormap: (3, N) red, green, blue of every index; None without one.
        pixel_ratio: height of a pixel by its width; 1 if it is square or the file does not say.
    """

    compression: int
    photometric: int
    planar: int = INTERLEAVED
    orientation: int = 1
    kind: int = SampleKind.UNSIGNED
    bits: int = 1
    is_even: bool = True
    samples: int = 1
    extra: tuple[int, ...] = ()
    ink_set: int = CMYK_INKS
    subsampling: tuple[int, int] = (1, 1)
    luma: tuple[float, ...] = (0.299, 0.587, 0.114)
    reference: tuple[float, ...] | None = None
    colormap: NDArray[np.int64] | None = None
    pixel_ratio: float = 1.0


def read_layout(
    whole: Callable[[int], NDArray[np.int64] | None], real: Callable[[int], list[float] | None]
) -> PageLayout:
    """The layout that a directory's tags state, with TIFF's defaults for what it leaves out.

    ``whole`` and ``real`` give a tag's values if it is of integers, or of fractions too; None if they are unreadable.
    """

    def first(number: int, default: int) -> int:
        values = whole(number)
        return default if values is None else int(values[0])

    bits = whole(_BITS)
    samples = first(_SAMPLES, 1)
    compression = first(_COMPRESSION, Compression.NONE)
    photometric = first(_PHOTOMETRIC, _usual_photometric(compression, samples))
    is_lab = photometric == Photometric.ITU_LAB
    extra, subsampling = whole(_EXTRA), whole(_SUBSAMPLING)
    if subsampling is None or len(subsampling) < 2:  # noqa: PLR2004 - across and down
        subsampling = np.array((2, 2) if photometric == Photometric.YCBCR else (1, 1))
    return PageLayout(
        compression=compression,
        photometric=photometric,
        planar=first(_PLANAR, INTERLEAVED),
        orientation=first(_ORIENTATION, 1),
        kind=first(_KIND, SampleKind.UNSIGNED),
        bits=1 if bits is None else int(bits.max()),
        is_even=bits is None or int(bits.min()) == int(bits.max()),
        samples=samples,
        extra=() if extra is None else tuple(extra.tolist()),
        ink_set=first(_INK_SET, CMYK_INKS),
        subsampling=(int(subsampling[0]), int(subsampling[1])),
        luma=_reals(real(_LUMA), 3) or (0.299, 0.587, 0.114),
        reference=_reals(real(_DECODE if is_lab else _REFERENCE), 6),
        colormap=_colormap(whole(_COLORMAP)) if photometric == Photometric.PALETTE else None,
        pixel_ratio=_pixel_ratio(real(_X_RESOLUTION), real(_Y_RESOLUTION)),
    )


def _usual_photometric(compression: int, samples: int) -> int:
    """What samples mean where the file does not say."""
    if compression in FAX:
        return Photometric.WHITE_IS_ZERO
    return Photometric.RGB if samples >= _COLOURS else Photometric.BLACK_IS_ZERO


def _reals(values: list[float] | None, n: int) -> tuple[float, ...] | None:
    return tuple(values[:n]) if values is not None and len(values) >= n else None


def _colormap(values: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if values is None or len(values) < _COLOURS else values[: len(values) // 3 * 3].reshape(3, -1)


def _pixel_ratio(across: list[float] | None, down: list[float] | None) -> float:
    x, y = (across or [0.0])[0], (down or [0.0])[0]
    if not (x > 0 and y > 0):
        return 1.0
    ratio = x / y
    low, high = _RESOLUTION_RATIO
    return ratio if low <= ratio <= high and abs(ratio - 1) > _NEARLY_SQUARE else 1.0
