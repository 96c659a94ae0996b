"""Results of many searches as rows of one table: the earlier system's columns, then what each result comes to.

Also which columns of any result an operator may leave out, for whoever must not see them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from doc_assets.archive.ledger.results import FoundDocument, ResultRecord
from doc_assets.archive.ledger.searches import EARLIER_COLUMNS, KEY_FIELDS, SearchLedger, SearchRecord
from doc_assets.errors import SettingsError
from doc_assets.reports.headline import HEADLINE, headline
from doc_assets.reports.result_files import COLUMNS
from doc_assets.reports.tables import Row

EXPORTED = (*EARLIER_COLUMNS, *HEADLINE)
"""Columns of an export, in this order."""
SUMMARY_FIELDS = (
    "query_document",
    "matched_query_document",
    "state",
    "num_query_photos",
    "merchant_id",
    "findings",
    "faults",
    "reasons",
    "fraud_doc_probability",
    "threshold_match_count",
    "image_authenticity",
    "top_docs",
    "elapsed_seconds",
    "aggregation_strategy_used",
    "top_k_used",
    "top_doc_used",
    "error",
)
"""Of an entry of ``per_query`` in the JSON summary."""

CASE_COLUMNS = (
    "case",
    "state",
    "priority",
    "query_document",
    "merchant_id",
    "drop",
    "query_photo",
    "finding",
    "probability",
    "document",
    "photo",
    "verdict",
    "decided_by",
    "decided_at",
)
"""Of the review desk's queue as a table; those of the key table come behind them."""

_NEEDED = frozenset({"query_document", "document", "run_identifier", "case"})
"""Without them a row says nothing."""


def export_rows(searches: SearchLedger, search_ids: Sequence[str], left_out: Collection[str] = ()) -> Iterator[Row]:
    """One row per search and query document, in the order of the searches; those of one search in memory at a time.

    What is made of columns that are left out does not stand in the rows; the columns themselves still do.
    """
    for search_id in search_ids:
        search = searches.get(search_id)
        best = searches.global_top_docs(search_id)
        for result in searches.results(search_id):
            yield {**_earlier(search, result), "global_top_docs": best, **headline(result.shown_without(left_out))}


def _earlier(search: SearchRecord, result: ResultRecord) -> Row:
    """The earlier system's columns; the view ``doc_similarity_results`` says the same in SQL."""
    return {
        "run_identifier": search.search_id,
        "requesting_username": search.requested_by,
        "search_time_stamp": search.started_at,
        "query_document": result.query_document,
        "matched_query_document": result.query_document,
        "top_similar_docs": {found.document: found.score for found in result.top_docs},
        "threshold_match_count": result.legacy.threshold_match_count,
        "sim_img_check": {found.document: {"explanatory_db_images": _photos(found)} for found in result.top_docs},
        "image_authenticity": result.legacy.image_authenticity,
        "fraud_doc_probability": result.legacy.fraud_doc_probability,
        **{name: result.fields.get(name) for name in KEY_FIELDS},
        "사업자등록번호": result.merchant_id,
    }


def _photos(found: FoundDocument) -> dict[str, float]:
    """Similarity by photo; of several query photos that it was found for, the highest."""
    best: dict[str, float] = {}
    for pair in found.matches:
        name = f"{found.document}#{pair.page}/{pair.photo}"
        best[name] = max(pair.similarity, best.get(name, pair.similarity))
    return best


def require_removable(names: Iterable[str], fields: Iterable[str] = ()) -> None:
    """Refuses names that are no column and columns that cannot be left out; ``fields`` are those of key tables.

    Raises:
        SettingsError: names the first wrong one and the right ones.
    """
    known = {*COLUMNS, *EXPORTED, *SUMMARY_FIELDS, *CASE_COLUMNS, *fields} - _NEEDED
    for name in names:
        if name not in known:
            raise SettingsError(f"{name!r} is no column that can be left out; these are: {', '.join(sorted(known))}.")
