"""Which embedder an archive uses: the one chosen for its collection, or that of the settings while it has none."""

from typing import Any

from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.features.embedders.base import Embedder, EmbedderSpec, make_embedder
from doc_assets.features.model_folders import resolve_checkpoint
from doc_assets.settings import Settings

_ANSWER_WITHIN_S = 10


def embedder_of_settings(settings: Settings) -> EmbedderSpec:
    """The embedder of a new archive."""
    return EmbedderSpec(settings.embedder, settings.embedder_options)


def embedder_in_use(settings: Settings) -> EmbedderSpec:
    """The embedder that made the collection in use; tables are not touched.

    A setting that was changed since does not count: nothing of the archive could be compared with its vectors.

    Raises:
        ServiceError: if the ledger's database does not answer.
    """
    if is_absent(settings.ledger_address):
        return embedder_of_settings(settings)
    database = Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)
    try:
        found = CollectionLedger(database).last("in_use") if database.revision() == SCHEMA_REVISION else None
    finally:
        database.close()
    return EmbedderSpec(found.embedder, found.options) if found else embedder_of_settings(settings)


def load_embedder(settings: Settings, spec: EmbedderSpec, **how: Any) -> Embedder:  # noqa: ANN401 - device, batch_size
    """The embedder with its weights; a checkpoint is looked for among the added models.

    Raises:
        SettingsError: if there is no such embedder or it does not take these options.
        MissingModelError: if its weights are absent or damaged.
    """
    options = resolve_checkpoint(spec.options, settings.models_dir)
    return make_embedder(spec.name, options, **how)
