"""The ledger's entry of a search that begins."""

import getpass
import os
from dataclasses import asdict
from datetime import datetime

from doc_assets.archive.ledger.search_settings import SearchRequest, SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.search.findings import LABELS_VERSION


def begun_search(
    search_id: str, request: SearchRequest, now: datetime, collection: str, n_indexed_photos: int
) -> SearchRecord:
    """A search that begins now, asked for by this process's user, with labels by the rules in use."""
    settings = SearchSettings(**asdict(request), labels=LABELS_VERSION)
    return SearchRecord(search_id, now, None, collection, n_indexed_photos, settings, requesting_user())


def requesting_user() -> str:
    """Who asks: the user of this process, or its number where it has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
