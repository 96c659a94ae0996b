"""A search's results as JSON, CSV and XLSX."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.archive.ledger.json_codec import as_json
from doc_assets.archive.ledger.results import ChangedFinding, FoundDocument, PhotoPair, ResultRecord, global_top_docs
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.reports.headline import HEADLINE, headline, require_consistent
from doc_assets.reports.tables import Cell, Row, fitting_workbook, write_table
from doc_assets.reports.wording import reasons
from doc_assets.util.files import write_atomic
from doc_assets.util.visible import visible_json

SUMMARY_NAME = "search_results_summary.json"
CSV_NAME = "results.csv"
XLSX_NAME = "results.xlsx"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the table: a found document, from rank 1, or a query that found none."""

    result: ResultRecord
    rank: int | None = None
    found: FoundDocument | None = None


CellOf = Callable[[_Line], Cell]


def _found(cell: Callable[[FoundDocument], Cell]) -> CellOf:
    return lambda line: None if line.found is None else cell(line.found)


def _best(cell: Callable[[PhotoPair], Cell]) -> CellOf:
    """Of the found document's best pair."""
    return lambda line: cell(line.found.matches[0]) if line.found is not None and line.found.matches else None


_CELLS: dict[str, CellOf] = {
    "state": lambda line: line.result.state,
    "n_photos": lambda line: line.result.n_photos,
    "rank": lambda line: line.rank,
    "document": _found(lambda found: found.document),
    "document_merchant_id": _found(lambda found: found.merchant_id),
    "found_date": _found(lambda found: found.document_date.isoformat() if found.document_date else None),
    "found_date_source": _found(lambda found: found.date_source),
    "same_merchant": _found(lambda found: found.same_merchant),
    "counts": _found(lambda found: found.counts),
    "relation": _found(lambda found: found.relation),
    "score": _found(lambda found: found.score),
    "n_matched_photos": _found(lambda found: found.n_matched_photos),
    "pair_kind": _best(lambda pair: pair.kind),
    "exact_duplicate": _found(lambda found: found.exact_duplicate),
    "same_batch": _found(lambda found: found.same_batch),
    "best_similarity": _best(lambda pair: pair.similarity),
    "pair_probability": _best(lambda pair: pair.probability),
    "inliers": _best(lambda pair: pair.inliers),
    "query_page": _best(lambda pair: pair.query_page),
    "query_photo": _best(lambda pair: pair.query_photo),
    "page": _best(lambda pair: pair.page),
    "photo": _best(lambda pair: pair.photo),
    "quarter_turns": _best(lambda pair: pair.quarter_turns),
    "mirrored": _best(lambda pair: pair.mirrored),
    "elapsed_seconds": lambda line: line.result.elapsed_s,
    "error": lambda line: line.result.error,
}
COLUMNS = ("query_document", "merchant_id", *HEADLINE, *_CELLS)
"""Behind them come the columns of the key table that named the queries."""


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Where a search's results were written."""

    summary: Path
    table_csv: Path
    table_xlsx: Path


def write_results(
    search: SearchRecord,
    results: Sequence[ResultRecord],
    folder: Path,
    left_out: Collection[str] = (),
    changed: Sequence[ChangedFinding] = (),
) -> ResultFiles:
    """Writes the three files into ``folder``, each replaced in one step, without columns and fields that are left out.

    ``changed`` are documents of other drops whose finding changed with this search.

    Raises:
        InconsistentResultError: if a document is flagged without a reason that counts, or the reverse.
    """
    require_consistent(results)
    folder.mkdir(parents=True, exist_ok=True)
    files = ResultFiles(folder / SUMMARY_NAME, folder / CSV_NAME, folder / XLSX_NAME)
    content = summary_of(search, results, changed)
    content["per_query"] = without(content["per_query"], left_out)
    summary = json.dumps(content, ensure_ascii=False, indent=2)
    write_atomic(UPath(files.summary), visible_json(summary).encode())
    columns = [name for name in table_columns(results) if name not in left_out]
    write_table(table_rows(results), columns, "csv", files.table_csv)
    write_table(fitting_workbook(table_rows(results)), columns, "xlsx", files.table_xlsx)
    return files


def summary_of(
    search: SearchRecord, results: Sequence[ResultRecord], changed: Sequence[ChangedFinding] = ()
) -> dict[str, Any]:
    """``{"global": {...}, "per_query": [...]}``; pages are counted from 1, photos from 0."""
    settings = search.settings
    used = {
        "aggregation_strategy_used": settings.aggregation,
        "top_k_used": settings.top_k,
        "top_doc_used": settings.top_doc,
    }
    return {
        "global": {
            "search_id": search.search_id,
            "started_at": search.started_at.isoformat(),
            "finished_at": search.finished_at.isoformat() if search.finished_at else None,
            **used,
            "include_batch": settings.include_batch,
            "privacy_mode": settings.privacy_mode,
            "flag_risk": settings.flag_risk,
            "match_probability": settings.match_probability,
            "match_similarity": settings.match_similarity,
            "use_words": settings.use_words,
            "verify": settings.verify,
            "fallback_to_bruteforce_message": None,
            "indexed_image_count": search.n_indexed_photos,
            "index_path": search.collection,
            "incomplete": settings.incomplete,
            "n_queries": len(results),
            "n_failed": sum(result.state == "rejected" for result in results),
            "n_faults": sum(len(result.faults) for result in results),
            "n_flagged": sum(result.flagged for result in results),
            "global_top_docs": global_top_docs(results, settings.top_doc),
            "changed_findings": [as_json(each) for each in changed],
        },
        "per_query": [_per_query(result, used) for result in results],
    }


def without(value: Any, names: Collection[str]) -> Any:  # noqa: ANN401 - JSON
    """A JSON value without the fields of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(part, names) for name, part in value.items() if name not in names}
    if isinstance(value, list):
        return [without(part, names) for part in value]
    return value


def _per_query(result: ResultRecord, used: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "query_document": result.query_document,
        "matched_query_document": result.query_document,
        "state": result.state,
        "num_query_photos": result.n_photos,
        "merchant_id": result.merchant_id,
        "key_metadata": result.fields or None,
        **{name: value for name, value in headline(result).items() if name != "why"},
        "findings": [as_json(finding) for finding in result.findings],
        "reasons": [
            {"code": reason.code, "counts": reason.counts, "ko": reason.text.ko, "en": reason.text.en}
            for reason in reasons(result)
        ],
        **as_json(result.legacy),
        "faults": [as_json(fault) for fault in result.faults],
        "top_docs": [_shown(found) for found in result.top_docs],
        "elapsed_seconds": result.elapsed_s,
        **used,
    }
    if result.error is not None:
        entry["error"] = result.error
    return entry


def _shown(found: FoundDocument) -> dict[str, Any]:
    """A found document without what only its picture needs; what was done is said of matched pairs alone."""
    pairs = [
        replace(pair, lines=None) if pair.matched else replace(pair, lines=None, changes=None, transform=None)
        for pair in found.matches
    ]
    shown: dict[str, Any] = as_json(replace(found, matches=tuple(pairs)))
    return shown


def table_columns(results: Sequence[ResultRecord]) -> tuple[str, ...]:
    """The columns of a table of these results; a key table's column that is called like one of ours gets a mark."""
    return (*COLUMNS, *dict.fromkeys(_field_column(name) for result in results for name in result.fields))


def _field_column(name: str) -> str:
    return f"key: {name}" if name in COLUMNS else name


def table_rows(results: Sequence[ResultRecord]) -> Iterator[Row]:
    """One row for every ranked document, and one for every query that found none."""
    for result in results:
        said = {
            "query_document": result.query_document,
            "merchant_id": result.merchant_id,
            **headline(result),
            **{_field_column(name): text for name, text in result.fields.items()},
        }
        lines = [_Line(result, rank, found) for rank, found in enumerate(result.top_docs, start=1)]
        for line in lines or [_Line(result)]:
            yield said | {name: cell(line) for name, cell in _CELLS.items()}
