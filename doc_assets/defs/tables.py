"""Metadata tables. Their cells are shown as plain text: file names must never become markdown or hide what they are."""

from collections.abc import Sequence

import dagster as dg

from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.reports.headline import HEADLINE, headline
from doc_assets.search.completeness import beyond_reading
from doc_assets.util.visible import visible, visible_value

_MAX_RANKED = 200


def faulty_documents(documents: Sequence[Document]) -> dg.MetadataValue:
    """Rejected and partial documents with their reasons."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "document": visible(document.file_name),
                    "state": document.state,
                    "code": document.reason_code or "",
                    "reason": visible(document.reason or ""),
                }
            )
            for document in documents
        ],
        schema=_schema("document", "state", "code", "reason"),
    )


def ranking(results: Sequence[ResultRecord]) -> dg.MetadataValue:
    """The best document of every query, most suspicious first, the first two hundred."""
    ordered = sorted(
        results,
        key=lambda result: (-(result.risk_score or 0.0), -(result.best_score or -1.0), result.query_document),
    )
    return dg.MetadataValue.table(
        [dg.TableRecord(_ranked(result)) for result in ordered[:_MAX_RANKED]],
        schema=_schema("query", *HEADLINE, "best_document", "score", "photos_matched", "identical_file", "note"),
    )


def _ranked(result: ResultRecord) -> dict[str, str | float | int | bool]:
    best = result.top_docs[0] if result.top_docs else None
    said = {name: "" if value is None else str(value) for name, value in headline(result).items()}
    cells: dict[str, str | float | int | bool] = {
        "query": result.query_document,
        **said,
        "best_document": result.best_document or "",
        "score": "" if result.best_score is None else f"{result.best_score:.3f}",
        "photos_matched": f"{best.n_matched_photos} of {result.n_photos}" if best else "",
        "identical_file": "yes" if best and best.exact_duplicate else "",
        "note": "; ".join([result.error or "", *beyond_reading(result)]).strip("; "),
    }
    return {name: visible_value(value) for name, value in cells.items()}


def changed_findings(changed: Sequence[ChangedFinding]) -> dg.MetadataValue:
    """Documents of other drops whose finding changed."""
    columns = ("document", "drop", "was", "now", "risk_was", "risk", "flagged")
    rows = [{name: _shown(getattr(each, name)) for name in columns} for each in changed[:_MAX_RANKED]]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema=_schema(*columns))


def _shown(value: object) -> str:
    return "" if value is None else str(visible_value(str(value)))


def _schema(*names: str) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
