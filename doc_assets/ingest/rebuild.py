"""Throws away what was made from documents, so that the next run makes it again."""

from collections.abc import Sequence

from upath import UPath

from doc_assets.ingest.archive import Archive
from doc_assets.ledger.ledger import Ledger


def discard_results(ledger: Ledger, bulk: UPath, drop_keys: Sequence[str]) -> None:
    """Removes what was made from the documents of drops; documents, their states and points stay until replaced."""
    archive = Archive(ledger, bulk)
    for drop_key in drop_keys:
        ledger.documents.reopen(drop_key)
        for chunk in archive.chunks(drop_key):
            archive.photo_shard(chunk).unlink(missing_ok=True)
            for shard in archive.derived_shards(chunk):
                shard.unlink(missing_ok=True)
