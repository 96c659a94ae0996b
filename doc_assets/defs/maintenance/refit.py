"""Fitting the package's weights again on the archive's own photos."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from doc_assets.defs.partitions import gpu_job
from doc_assets.defs.step import step
from doc_assets.lab.refit import WEIGHTS, refit, sample_photos
from doc_assets.runtime import Runtime

_SETTINGS = {
    "embedder": 'doc-assets reindex --embedder gist --options \'{{"weights": "{path}/gist.safetensors"}}\'',
    "words": "DOC_ASSETS_WORDS_CODEBOOK={path}/words.safetensors",
    "probability": "DOC_ASSETS_PROBABILITY_MODEL={path}/probability.safetensors",
}


class RefitConfig(dg.Config):
    """What to fit, and on how much."""

    embedder: bool = Field(default=False, description="The projection of the built-in embedder.")
    words: bool = Field(default=True, description="The codebook of visual words.")
    probability: bool = Field(default=True, description="The probability of photo pairs, for the embedder in use.")
    photos: int = Field(default=1200, ge=300, description="Photos of the archive to learn from.")
    seed: int = Field(default=0, description="Another seed takes other photos.")
    output_folder: str = Field(default="", description="Where the weights go; default: models/<run id> in the home.")


@dg.op(
    description="Attacks photos of the archive in memory, fits weights on them and writes these with a manifest. "
    "Nothing uses them until the settings name them."
)
def fit_on_archive(context: dg.OpExecutionContext, config: RefitConfig, runtime: dg.ResourceParam[Runtime]) -> None:
    """Fits weights on the archive."""
    folder = Path(config.output_folder or runtime.settings.models_dir / context.run_id)
    with step(context), runtime.archive() as archive:
        photos = sample_photos(archive, config.photos, config.seed)
        asked = {"embedder": config.embedder, "words": config.words, "probability": config.probability}
        digests = refit(folder, [name for name in WEIGHTS if asked[name]], photos, runtime.embedder())
    context.add_output_metadata(
        {
            "photos": len(photos.places),
            **{f"{name}: sha256": digest for name, digest in digests.items()},
            "to use them": "\n".join(_SETTINGS[name].format(path=folder / name) for name in digests),
        }
    )


@dg.graph(description="Fits codebook, probability or embedder again on photos of the archive.")
def refit_job() -> None:
    """Archive photos -> weights."""
    fit_on_archive()


@dg.definitions
def refit_jobs() -> dg.Definitions:
    """The job with the tags that the settings ask for."""
    return dg.Definitions(jobs=[gpu_job(refit_job)])
