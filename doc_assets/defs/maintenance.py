"""Upkeep: what is too old is deleted, weights are fitted again on the archive's own photos."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from doc_assets.archive.vectors.base import embedder_of
from doc_assets.defs.lineage import MAX_RUNTIME_TAG, gpu_job
from doc_assets.defs.step import step
from doc_assets.errors import SetupError
from doc_assets.lab.refit import WEIGHTS, refit, sample_photos
from doc_assets.ops.maintenance import tidy_home
from doc_assets.pipeline.learning import draw_reliability, learn_from_verdicts
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings

_SETTINGS = {
    "embedder": 'doc-assets reindex --embedder gist --options \'{{"weights": "{path}/gist.safetensors"}}\'',
    "words": "DOC_ASSETS_WORDS_CODEBOOK={path}/words.safetensors",
    "probability": "DOC_ASSETS_PROBABILITY_MODEL={path}/probability.safetensors",
}


class MaintenanceConfig(dg.Config):
    """Whether to delete."""

    dry_run: bool = Field(default=True, description="Say what would go, delete nothing.")


@dg.op(
    description="Deletes closed logs and output of runs, reports and evidence, and copies of replaced and rejected "
    "documents that are older than the settings keep them, and leftovers of killed writers. Runs and materializations "
    "stay; old ticks go by Dagster's own retention."
)
def delete_what_is_too_old(
    context: dg.OpExecutionContext, config: MaintenanceConfig, runtime: dg.ResourceParam[Runtime]
) -> None:
    """Tidies the home."""
    with step(context):
        with runtime.archive() as archive:
            report = tidy_home(runtime.settings, archive.ledger, dry_run=config.dry_run)
        counted = {f"{kind}: things": tally.n for kind, tally in report.kinds.items()}
        sizes = {f"{kind}: bytes": tally.size_bytes for kind, tally in report.kinds.items()}
        context.add_output_metadata({"dry_run": report.dry_run, "bytes": report.size_bytes, **counted, **sizes})
        context.log.info("%d bytes %s", report.size_bytes, "would go" if report.dry_run else "went")
        if report.n_failed:
            raise SetupError(
                f"{report.n_failed} things could not be deleted; `doc-assets maintain` names them. "
                "Give the user of this program the right to delete there."
            )


@dg.job(
    tags=MAX_RUNTIME_TAG,
    description="Deletes what is older than the settings keep it; started by hand it only says what would go.",
)
def maintenance_job() -> None:
    """The home -> a tidier home."""
    delete_what_is_too_old()


@dg.definitions
def maintenance() -> dg.Definitions:
    """The schedule at the time that the settings ask for."""
    settings = load_settings()

    @dg.schedule(
        job=maintenance_job,
        cron_schedule=settings.maintenance_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes every night what is older than the settings keep it.",
    )
    def maintenance_schedule() -> dg.RunRequest:
        return dg.RunRequest(run_config=dg.RunConfig({"delete_what_is_too_old": MaintenanceConfig(dry_run=False)}))

    return dg.Definitions(schedules=[maintenance_schedule])


class RefitConfig(dg.Config):
    """What to fit, and on how much."""

    learn_from: Literal["photos", "verdicts"] = Field(
        default="photos",
        description="photos: weights, on attacked photos of the archive; verdicts: what a pair's probability is worth, "
        "on what reviewers decided. The options below are for photos.",
    )
    embedder: bool = Field(default=False, description="The projection of the built-in embedder.")
    words: bool = Field(default=True, description="The codebook of visual words.")
    probability: bool = Field(default=True, description="The probability of photo pairs, for the embedder in use.")
    photos: int = Field(default=1200, ge=300, description="Photos of the archive to learn from.")
    seed: int = Field(default=0, description="Another seed takes other photos.")
    output_folder: str = Field(default="", description="Where the weights go; default: models/<run id> in the home.")


@dg.op(
    description="From photos: attacks photos of the archive in memory, fits weights on them and writes these with a "
    "manifest; nothing uses them until the settings name them. From verdicts: recalibrates the probability of pairs, "
    "and uses that from now on if it is better on verdicts that it did not see."
)
def fit_on_archive(context: dg.OpExecutionContext, config: RefitConfig, runtime: dg.ResourceParam[Runtime]) -> None:
    """Fits weights on the archive."""
    if config.learn_from == "verdicts":
        _learn_from_verdicts(context, runtime)
        return
    folder = Path(config.output_folder or runtime.settings.models_dir / context.run_id)
    with step(context), runtime.archive() as archive:
        photos = sample_photos(archive, config.photos, config.seed)
        asked = {"embedder": config.embedder, "words": config.words, "probability": config.probability}
        digests = refit(folder, [name for name in WEIGHTS if asked[name]], photos, runtime.embedder())
    use = "\n".join(_SETTINGS[name].format(path=folder / name) for name in digests)
    sums = {f"{name}: sha256": digest for name, digest in digests.items()}
    context.add_output_metadata({"photos": len(photos.places), **sums, "to use them": use})


def _learn_from_verdicts(context: dg.OpExecutionContext, runtime: Runtime) -> None:
    """Recalibrates; the run says what came of it, and draws the reliability before and after."""
    with step(context), runtime.archive() as archive:
        used = archive.ledger.collections.last("in_use")
        model = runtime.pair_model(embedder_of(used.name) if used else None)
        now = datetime.now(UTC)
        learnt = learn_from_verdicts(archive.ledger, model, runtime.settings.models_dir, context.run_id, now)
        drawn = draw_reliability(learnt, runtime.settings.results_dir / context.run_id)
    context.log.info("%s", learnt.says)
    left_out = {f"left out: {reason}": n for reason, n in learnt.left_out.items()}
    context.add_output_metadata(
        {
            "outcome": learnt.says,
            "in_use": learnt.is_better,
            "held_out_pairs": learnt.after.n,
            "learnt_pairs": learnt.learnt,
            "log_loss": dg.MetadataValue.md(f"{learnt.before.log_loss:.4f} before, {learnt.after.log_loss:.4f} after"),
            "brier": dg.MetadataValue.md(f"{learnt.before.brier:.4f} before, {learnt.after.brier:.4f} after"),
            "slope": round(learnt.calibration.slope, 4),
            "intercept": round(learnt.calibration.intercept, 4),
            "calibration": learnt.calibration.calibration_id,
            **{f"reliability {name}": dg.MetadataValue.path(str(path)) for name, path in drawn.items()},
            **left_out,
        }
    )


@dg.graph(
    description="Fits codebook, probability or embedder again on photos of the archive; or, with `learn_from: "
    "verdicts`, what the probability of pairs is worth on verdicts of reviewers."
)
def refit_job() -> None:
    """Archive photos, or verdicts -> weights."""
    fit_on_archive()


@dg.definitions
def refit_jobs() -> dg.Definitions:
    """The job with the tags that the settings ask for."""
    return dg.Definitions(jobs=[gpu_job(refit_job)])
