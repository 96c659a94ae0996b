"""Columns of results that an operator may leave out, for whoever must not see them."""

from collections.abc import Iterable

from doc_assets.errors import SettingsError
from doc_assets.reports.export_rows import EXPORTED
from doc_assets.reports.result_files import COLUMNS

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

_NEEDED = frozenset({"query_document", "document", "run_identifier"})
"""Without them a row says nothing."""


def require_removable(names: Iterable[str], fields: Iterable[str] = ()) -> None:
    """Refuses names that are no column, and columns that cannot be left out.

    Args:
        names: to leave out.
        fields: columns of key tables, which travel with results.

    Raises:
        SettingsError: names the first wrong one and the right ones.
    """
    known = {*COLUMNS, *EXPORTED, *SUMMARY_FIELDS, *fields} - _NEEDED
    for name in names:
        if name not in known:
            raise SettingsError(f"{name!r} is no column that can be left out; these are: {', '.join(sorted(known))}.")
