"""A search's results as JSON, CSV and XLSX."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.evidence.wording import reasons
from doc_assets.ledger.searches import ResultRecord, SearchRecord
from doc_assets.storage import write_atomic

SUMMARY_NAME = "search_results_summary.json"
CSV_NAME = "results.csv"
XLSX_NAME = "results.xlsx"

COLUMNS = (
    "query_document",
    "merchant_id",
    "risk_score",
    "flagged",
    "why",
    "state",
    "n_photos",
    "rank",
    "document",
    "document_merchant_id",
    "same_merchant",
    "relation",
    "score",
    "n_matched_photos",
    "exact_duplicate",
    "same_batch",
    "best_similarity",
    "probability",
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
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_MAX_XLSX_ROWS = 1_048_575

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Where a search's results were written."""

    summary: Path
    table_csv: Path
    table_xlsx: Path


def write_results(search: SearchRecord, results: Sequence[ResultRecord], folder: Path) -> ResultFiles:
    """Writes the three files into ``folder``; existing ones are replaced, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    files = ResultFiles(folder / SUMMARY_NAME, folder / CSV_NAME, folder / XLSX_NAME)
    summary = json.dumps(summary_of(search, results), ensure_ascii=False, indent=2)
    write_atomic(UPath(files.summary), summary.encode())
    rows = list(table_rows(results))
    write_atomic(UPath(files.table_csv), as_csv(rows, COLUMNS))
    write_atomic(UPath(files.table_xlsx), as_xlsx(rows))
    return files


def summary_of(search: SearchRecord, results: Sequence[ResultRecord]) -> dict[str, Any]:
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
            "n_queries": len(results),
            "n_failed": sum(result.state == "rejected" for result in results),
            "n_flagged": sum(result.flagged for result in results),
            "global_top_docs": global_top_docs(results, settings["top_doc"]),
        },
        "per_query": [_per_query(result, used) for result in results],
    }


def _per_query(result: ResultRecord, used: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "query_document": result.query_document,
        "matched_query_document": result.query_document,
        "state": result.state,
        "num_query_photos": result.n_photos,
        "merchant_id": result.merchant_id,
        "risk_score": result.risk_score,
        "flagged": result.flagged,
        "reasons": [
            {"code": reason.code, "counts": reason.counts, "ko": reason.text.ko, "en": reason.text.en}
            for reason in reasons(result)
        ],
        **result.legacy,
        "top_docs": [_without_lines(found) for found in result.top_docs],
        "elapsed_seconds": result.elapsed_s,
        **used,
    }
    if result.error is not None:
        entry["error"] = result.error
    return entry


def _without_lines(found: dict[str, Any]) -> dict[str, Any]:
    """A matched document without the keypoints that only its picture needs."""
    pairs = [{name: value for name, value in pair.items() if name != "lines"} for pair in found["matches"]]
    return {**found, "matches": pairs}


def global_top_docs(results: Sequence[ResultRecord], top_doc: int) -> list[str]:
    """Documents by their best photo pair over all queries: the most probable, if pairs were verified, then similar."""
    best: dict[str, tuple[float, float]] = {}
    for result in results:
        for found in result.top_docs:
            pairs = [(pair["probability"] or 0.0, pair["similarity"]) for pair in found["matches"]]
            score = (1.0, 1.0) if found["exact_duplicate"] else max(pairs, default=(0.0, 0.0))
            best[found["document"]] = max(score, best.get(found["document"], (-1.0, -1.0)))
    return sorted(best, key=lambda document: (*(-value for value in best[document]), document))[:top_doc]


def table_rows(results: Sequence[ResultRecord]) -> Iterator[dict[str, Cell]]:
    """One row for every ranked document, and one for every query that found none."""
    for result in results:
        row: dict[str, Cell] = dict.fromkeys(COLUMNS)
        row |= {
            "query_document": result.query_document,
            "merchant_id": result.merchant_id,
            "risk_score": result.risk_score,
            "flagged": result.flagged,
            "why": " / ".join(reason.text.ko for reason in reasons(result)),
            "state": result.state,
            "n_photos": result.n_photos,
            "elapsed_seconds": result.elapsed_s,
            "error": result.error,
        }
        if not result.top_docs:
            yield row
        for rank, found in enumerate(result.top_docs, start=1):
            best = found["matches"][0] if found["matches"] else {}
            yield row | {
                "rank": rank,
                "document": found["document"],
                "document_merchant_id": found["merchant_id"],
                "same_merchant": found["same_merchant"],
                "relation": found["relation"],
                "score": found["score"],
                "n_matched_photos": found["n_matched_photos"],
                "exact_duplicate": found["exact_duplicate"],
                "same_batch": found["same_batch"],
                "best_similarity": best.get("similarity"),
                **{
                    name: best.get(name)
                    for name in (
                        "probability",
                        "inliers",
                        "query_page",
                        "query_photo",
                        "page",
                        "photo",
                        "quarter_turns",
                        "mirrored",
                    )
                },
            }


def as_csv(rows: Sequence[dict[str, Cell]], columns: Sequence[str]) -> bytes:
    """UTF-8 with a byte order mark, without which Excel garbles Hangul; no cell starts a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(row[name]) for name in columns])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "backslashreplace")


def _harmless(value: Cell) -> Cell:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def as_xlsx(rows: Sequence[dict[str, Cell]]) -> bytes:
    """A workbook whose cells are text, numbers and truth values, never formulas or links."""
    import xlsxwriter

    content = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(content, options) as book:
        sheet = book.add_worksheet("results")
        bold = book.add_format({"bold": True})
        for column, name in enumerate(COLUMNS):
            sheet.write_string(0, column, name, bold)
        for line, row in enumerate(rows[:_MAX_XLSX_ROWS], start=1):
            for column, name in enumerate(COLUMNS):
                _write_cell(sheet, line, column, row[name])
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, min(len(rows), _MAX_XLSX_ROWS), len(COLUMNS) - 1)
        sheet.set_column(0, 0, 40)
        sheet.set_column(4, 4, 40)
    return content.getvalue()


def _write_cell(sheet: Any, line: int, column: int, value: Cell) -> None:  # noqa: ANN401 - xlsxwriter is untyped
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, str):
        sheet.write_string(line, column, value)
    else:
        sheet.write_number(line, column, value)
