"""Metadata tables. They hold numbers of documents; names stay in the ledger (``doc-assets show --number N``)."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.reports.headline import HEADLINE, headline
from doc_assets.sources.names import document_of_label

_MAX_RANKED = 200
_NUMBER = "number"
_NAMES = {"source_document", "source_merchant_id", "why"}
_HEADLINE = [name for name in HEADLINE if name not in _NAMES]
_SHOWN_BY = "Number in the ledger; `doc-assets show --number N` says which document it is, and why."


def numbers_of(ledger: Ledger, document_ids: Iterable[str]) -> dict[str, int]:
    """Numbers of the newest arrivals of documents by their ids; those that are not in the archive are left out."""
    return {name: document.id for name, document in ledger.documents.current_with_ids(set(document_ids)).items()}


def faulty_documents(documents: Sequence[Document]) -> dg.MetadataValue:
    """Rejected and partial documents with the codes of their reasons."""
    rows = [(document.id, document.state, document.reason_code) for document in documents]
    return _table((_NUMBER, "state", "code"), rows)


def ranking(ledger: Ledger, results: Sequence[ResultRecord]) -> dg.MetadataValue:
    """The best document of every query, most suspicious first, the first two hundred.

    ``place`` is the query's in its drop or search, from 1; ``number`` is empty if the archive does not have it.
    """
    ordered = sorted(
        results, key=lambda result: (-(result.risk_score or 0.0), -(result.best_score or -1.0), result.query_document)
    )[:_MAX_RANKED]
    numbers = numbers_of(ledger, (name for result in ordered for name in _named_in(result)))
    columns = ("place", _NUMBER, *_HEADLINE, "best_number", "score", "photos_matched", "identical_file", "faults")
    return _table(columns, [_ranked(result, numbers) for result in ordered])


def _named_in(result: ResultRecord) -> list[str]:
    return [result.document_id, *(found.document_id for found in result.top_docs[:1])]


def _ranked(result: ResultRecord, numbers: Mapping[str, int]) -> list[object]:
    best = result.top_docs[0] if result.top_docs else None
    said = headline(result)
    return [
        result.position + 1,
        numbers.get(result.document_id),
        *(said[name] for name in _HEADLINE),
        numbers.get(best.document_id) if best else None,
        None if result.best_score is None else f"{result.best_score:.3f}",
        f"{best.n_matched_photos} of {result.n_photos}" if best else None,
        "yes" if best and best.exact_duplicate else None,
        len(result.faults) or None,
    ]


def changed_findings(ledger: Ledger, changed: Sequence[ChangedFinding]) -> dg.MetadataValue:
    """Documents of other drops whose finding changed, the first two hundred."""
    shown = [(document_of_label(each.document), each) for each in changed[:_MAX_RANKED]]
    numbers = numbers_of(ledger, (name for name, _ in shown))
    columns = ("drop", "was", "now", "risk_was", "risk", "flagged")
    rows = [[numbers.get(name), *(getattr(each, column) for column in columns)] for name, each in shown]
    return _table((_NUMBER, *columns), rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue:
    """Cells as text, empty for None."""
    columns = [dg.TableColumn(name, description=_SHOWN_BY if name.endswith(_NUMBER) else None) for name in names]
    records = [
        dg.TableRecord({name: "" if cell is None else str(cell) for name, cell in zip(names, row, strict=True)})
        for row in rows
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))
