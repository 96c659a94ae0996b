"""Finders of pages by text for tests; where Tesseract's models are not installed those tests are skipped."""

import pytest

from doc_assets.errors import SetupError
from doc_assets.lab.forms import TITLE
from doc_assets.reading.text.base import make_engine
from doc_assets.reading.text.finder import PageFinder, make_finder


def need_tesseract() -> None:
    """Skips where its models are missing, and says which package has them."""
    try:
        make_engine("tesseract", {})
    except SetupError as error:
        pytest.skip(str(error))


def page_finder(**changed) -> PageFinder:
    """The finder of the default settings but for what is named."""
    need_tesseract()
    settings = {
        "wanted": TITLE,
        "mode": "exact_phrase",
        "max_errors": 1,
        "zones": ["top=0.15"],
        "engine": "tesseract",
        "engine_options": {},
        "timeout_s": 10.0,
    }
    return make_finder(**{**settings, **changed})
