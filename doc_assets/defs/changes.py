"""Config of ops: what one run does otherwise than the settings say."""

from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.runtime import Runtime

_SETTINGS = (
    "match_probability", "flag_risk", "device", "embed_batch_size", "photo_extractor", "photo_extractor_options",
    "max_pages",
)  # fmt: skip

MATCH_PROBABILITY: float = Field(
    default=0.0, ge=0, le=1, description="A verified photo pair at least this probable matches; 0: the setting."
)
FLAG_RISK: float = Field(
    default=0.0, ge=0, le=1, description="A document is flagged from this risk score on; 0: the setting."
)
DEVICE: str = Field(default="", description="Where models run: auto, cpu or cuda; default: the setting.")
EXTRACTOR: str = Field(default="", description="What finds photos: layout, template or detector; default: the setting.")
EXTRACTOR_OPTIONS: dict[str, Any] = Field(default={}, description="Options of that extractor.")
SEARCH_ROOTS: list[str] = Field(
    default=[], description="Archive folders that keys are looked up in; default: those of the settings."
)
API_URL: str = Field(default="", description="Document API that is asked for keys instead.")


class RunChanges(dg.Config):
    """Fields with the names of settings; one that is empty or 0 is as the settings say."""

    def of(self, runtime: Runtime) -> Runtime:
        """The home as this run takes it.

        Raises:
            SettingsError: if a value is out of range.
        """
        given = {name: value for name in _SETTINGS if (value := getattr(self, name, None))}
        return runtime.changed(**given)


class ExtractorConfig(RunChanges):
    """How photos are found; every step of a run must be given the same."""

    photo_extractor: str = EXTRACTOR
    photo_extractor_options: dict[str, Any] = EXTRACTOR_OPTIONS


class EmbedderConfig(ExtractorConfig):
    """How photos are embedded; every step of a run must be given the same."""

    embedder: str = Field(default="", description="gist or transformers; default: the one that the archive uses.")
    embedder_options: dict[str, Any] = Field(default={}, description="Options of that embedder.")
    device: str = DEVICE
    embed_batch_size: int = Field(default=0, ge=0, description="Photos embedded together; 0: the setting.")

    def of(self, runtime: Runtime) -> Runtime:
        """The home as this run takes it, with this embedder."""
        spec = EmbedderSpec(self.embedder, self.embedder_options) if self.embedder else None
        return super().of(runtime).with_embedder(spec)


class ThresholdsConfig(RunChanges):
    """When a pair matches and a document is flagged."""

    match_probability: float = MATCH_PROBABILITY
    flag_risk: float = FLAG_RISK
    device: str = DEVICE
