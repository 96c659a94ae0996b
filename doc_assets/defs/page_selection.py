"""Which pages are looked at for photos, as fields of the resource that cuts them."""

import json
from functools import lru_cache
from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.reading.text.finder import PageFinder, make_finder
from doc_assets.settings import Settings


class PageSelection(dg.Config):
    """Every page, or those that carry a text."""

    selector: str = Field(description="photos: every page; text: pages that carry the wanted text.")
    wanted: str = Field(description="That text.")
    mode: str = Field(description="exact_phrase or all_words.")
    zones: list[str] = Field(description="Where it stands, e.g. top=0.15; tried in turn.")
    max_errors: int = Field(ge=0, description="Letters of it that may be misread.")
    engine: str = Field(description="What reads text.")
    engine_options: dict[str, Any] = Field(description="Options of that engine.")
    timeout_s: float = Field(gt=0, description="CPU seconds that reading a zone of a page in one turn may take.")

    def finder(self) -> PageFinder | None:
        """What finds the pages, the same object for the same fields; None if every page is looked at."""
        if self.selector != "text":
            return None
        return _finder(
            self.wanted,
            self.mode,
            self.max_errors,
            tuple(self.zones),
            self.engine,
            json.dumps(self.engine_options),
            self.timeout_s,
        )


@lru_cache(maxsize=1)
def _finder(
    wanted: str, mode: str, max_errors: int, zones: tuple[str, ...], engine: str, engine_options: str, timeout_s: float
) -> PageFinder:
    return make_finder(
        wanted=wanted,
        mode=mode,
        max_errors=max_errors,
        zones=zones,
        engine=engine,
        engine_options=json.loads(engine_options),
        timeout_s=timeout_s,
    )


def page_selection(settings: Settings) -> PageSelection:
    """What the settings choose."""
    return PageSelection(
        selector=settings.page_selector,
        wanted=settings.page_text_wanted,
        mode=settings.page_text_mode,
        zones=settings.page_text_zones,
        max_errors=settings.page_text_max_errors,
        engine=settings.page_text_engine,
        engine_options=settings.page_text_engine_options,
        timeout_s=settings.page_text_timeout_s,
    )
