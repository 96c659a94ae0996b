"""The Hangul font of everything this package draws."""

import importlib.util
from functools import cache
from pathlib import Path

from PIL import ImageFont

from doc_assets.errors import SetupError

_PACKAGE = "koreanize_matplotlib"  # used for the font file it carries; never imported


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """NanumGothic at ``size_px``.

    Raises:
        SetupError: if the package that carries the font is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise SetupError(f"The font package {_PACKAGE} is not installed; run `pip install -r requirements.lock`.")
    return ImageFont.truetype(Path(spec.origin).parent / "fonts" / "NanumGothic.ttf", size_px)
