"""A search's results as JSON, CSV and XLSX."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.archive.ledger.incomplete import INCOMPLETE
from doc_assets.archive.ledger.results import (
    FoundDocument,
    ResultRecord,
    finding_as_json,
    found_as_json,
    global_top_docs,
    pair_as_json,
)
from doc_assets.archive.ledger.searches import ChangedFinding, SearchRecord
from doc_assets.reports.headline import HEADLINE, Cell, headline, require_consistent
from doc_assets.reports.wording import reasons
from doc_assets.util.files import write_atomic
from doc_assets.util.visible import visible_json, visible_value

SUMMARY_NAME = "search_results_summary.json"
CSV_NAME = "results.csv"
XLSX_NAME = "results.xlsx"

COLUMNS = (
    "query_document",
    "merchant_id",
    *HEADLINE,
    "state",
    "n_photos",
    "rank",
    "document",
    "document_merchant_id",
    "found_date",
    "found_date_source",
    "same_merchant",
    "counts",
    "relation",
    "score",
    "n_matched_photos",
    "pair_kind",
    "exact_duplicate",
    "same_batch",
    "best_similarity",
    "pair_probability",
    "inliers",
    "query_page",
    "query_photo",
    "page",
    "photo",
    "quarter_turns",
    "mirrored",
    "elapsed_seconds",
    "error",
)
"""Behind them come the columns of the key table that named the queries."""
_WIDE = ("query_document", "why")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MAX_XLSX_ROWS = 1_048_575


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
    """Writes the three files into ``folder`` without the columns ``left_out``; each is replaced in one step.

    Args:
        search: whose results they are.
        results: of its query documents.
        folder: for the files.
        left_out: columns and fields that must not be seen.
        changed: documents of other drops whose finding changed with this one.

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
    rows = list(table_rows(results))
    columns = [name for name in table_columns(results) if name not in left_out]
    write_atomic(UPath(files.table_csv), as_csv(rows, columns))
    write_atomic(UPath(files.table_xlsx), as_xlsx(rows, columns))
    return files


def summary_of(
    search: SearchRecord, results: Sequence[ResultRecord], changed: Sequence[ChangedFinding] = ()
) -> dict[str, Any]:
    """``{"global": {...}, "per_query": [...]}``; pages are counted from 1, photos from 0."""
    settings = search.settings
    used = {
        "aggregation_strategy_used": settings["aggregation"],
        "top_k_used": settings["top_k"],
        "top_doc_used": settings["top_doc"],
    }
    return {
        "global": {
            "search_id": search.search_id,
            "started_at": search.started_at.isoformat(),
            "finished_at": search.finished_at.isoformat() if search.finished_at else None,
            **used,
            "include_batch": settings["include_batch"],
            "privacy_mode": settings["privacy_mode"],
            "flag_risk": settings["flag_risk"],
            "match_probability": settings["match_probability"],
            "match_similarity": settings["match_similarity"],
            "use_words": settings["use_words"],
            "verify": settings["verify"],
            "fallback_to_bruteforce_message": None,
            "indexed_image_count": search.n_indexed_photos,
            "index_path": search.collection,
            "incomplete": search.settings.get(INCOMPLETE),
            "n_queries": len(results),
            "n_failed": sum(result.state == "rejected" for result in results),
            "n_faults": sum(len(result.faults) for result in results),
            "n_flagged": sum(result.flagged for result in results),
            "global_top_docs": global_top_docs(results, settings["top_doc"]),
            "changed_findings": [asdict(each) for each in changed],
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
        "findings": [finding_as_json(finding) for finding in result.findings],
        "reasons": [
            {"code": reason.code, "counts": reason.counts, "ko": reason.text.ko, "en": reason.text.en}
            for reason in reasons(result)
        ],
        **result.legacy,
        "faults": list(result.faults),
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
        pair_as_json(
            replace(pair, lines=None) if pair.matched else replace(pair, lines=None, changes=None, transform=None)
        )
        for pair in found.matches
    ]
    return {**found_as_json(found), "matches": pairs}


def table_columns(results: Sequence[ResultRecord]) -> tuple[str, ...]:
    """The columns of a table of these results; a key table's column that is called like one of ours gets a mark."""
    return (*COLUMNS, *dict.fromkeys(_field_column(name) for result in results for name in result.fields))


def _field_column(name: str) -> str:
    return f"key: {name}" if name in COLUMNS else name


def table_rows(results: Sequence[ResultRecord]) -> Iterator[dict[str, Cell]]:
    """One row for every ranked document, and one for every query that found none."""
    for result in results:
        row: dict[str, Cell] = dict.fromkeys(COLUMNS)
        row |= {
            "query_document": result.query_document,
            "merchant_id": result.merchant_id,
            **headline(result),
            "state": result.state,
            "n_photos": result.n_photos,
            "elapsed_seconds": result.elapsed_s,
            "error": result.error,
            **{_field_column(name): text for name, text in result.fields.items()},
        }
        if not result.top_docs:
            yield row
        for rank, found in enumerate(result.top_docs, start=1):
            yield row | _found_cells(rank, found)


def _found_cells(rank: int, found: FoundDocument) -> dict[str, Cell]:
    best = found.matches[0] if found.matches else None
    cells: dict[str, Cell] = {
        "rank": rank,
        "document": found.document,
        "document_merchant_id": found.merchant_id,
        "found_date": found.document_date.isoformat() if found.document_date else None,
        "found_date_source": found.date_source,
        "same_merchant": found.same_merchant,
        "counts": found.counts,
        "relation": found.relation,
        "score": found.score,
        "n_matched_photos": found.n_matched_photos,
        "exact_duplicate": found.exact_duplicate,
        "same_batch": found.same_batch,
    }
    if best is None:
        return cells
    return cells | {
        "best_similarity": best.similarity,
        "pair_kind": best.kind,
        "pair_probability": best.probability,
        "inliers": best.inliers,
        "query_page": best.query_page,
        "query_photo": best.query_photo,
        "page": best.page,
        "photo": best.photo,
        "quarter_turns": best.quarter_turns,
        "mirrored": best.mirrored,
    }


def as_csv(rows: Sequence[dict[str, Cell]], columns: Sequence[str] = COLUMNS) -> bytes:
    """UTF-8 with a byte order mark, without which Excel garbles Hangul; no cell starts a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([harmless(name) for name in columns])
    for row in rows:
        writer.writerow([harmless(row.get(name)) for name in columns])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "backslashreplace")


def harmless(value: Cell) -> Cell:
    """Text without hidden characters; what a spreadsheet would run as a formula gets an apostrophe in front."""
    shown: Cell = visible_value(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{shown}"
    return "" if shown is None else shown


def as_xlsx(rows: Sequence[dict[str, Cell]], columns: Sequence[str] = COLUMNS) -> bytes:
    """A workbook whose cells are text, numbers and truth values, never formulas or links."""
    import xlsxwriter

    content = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(content, options) as book:
        sheet = book.add_worksheet("results")
        bold = book.add_format({"bold": True})
        for column, name in enumerate(columns):
            sheet.write_string(0, column, name, bold)
        for line, row in enumerate(rows[:MAX_XLSX_ROWS], start=1):
            for column, name in enumerate(columns):
                write_cell(sheet, line, column, row.get(name))
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, min(len(rows), MAX_XLSX_ROWS), len(columns) - 1)
        for column, name in enumerate(columns):
            if name in _WIDE:
                sheet.set_column(column, column, 40)
    return content.getvalue()


def write_cell(sheet: Any, line: int, column: int, value: Cell) -> None:  # noqa: ANN401 - xlsxwriter is untyped
    """Writes one value as what it is, never as a formula or link; nothing for None."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, str):
        sheet.write_string(line, column, visible_value(value))
    else:
        sheet.write_number(line, column, value)
