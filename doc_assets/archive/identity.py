"""Whose a document is and when it is from: what a key table tells of documents, also of those that came before it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import Document
from doc_assets.datatypes import DocumentDate
from doc_assets.sources.dates import DateRule
from doc_assets.sources.key_tables.table import KeyRow


def date_faults(rows: Iterable[KeyRow | None], dates: DateRule, now: datetime) -> list[str]:
    """Rows of a key table whose date cannot be used, each once, with the reason."""
    faults = {row.line: (row, dates.fault_in(row.fields, now)) for row in rows if row is not None}
    return [f"line {line}, {row.key}: {reason}" for line, (row, reason) in faults.items() if reason is not None]


def describe_again(
    ledger: Ledger, documents: Sequence[Document], rows: Mapping[str, KeyRow], dates: DateRule
) -> list[str]:
    """Files merchant, key table fields and date of documents that arrived before, where they are others now.

    What an earlier key table told stays where this one says nothing.

    Args:
        ledger: where they are.
        documents: arrivals that are asked for again.
        rows: of the key table that is used now, by source path; empty without one.
        dates: where dates stand now, which may differ from the settings at their arrival.

    Returns:
        Names of the documents concerned.
    """
    arrived = ledger.documents.first_arrivals(sorted({document.document_id for document in documents}))
    changed: list[Document] = []
    for document in documents:
        known = _described(document, rows.get(document.source_path), dates, arrived[document.document_id])
        if known != document:
            changed.append(known)
    ledger.documents.record_descriptions(changed)
    return [document.file_name for document in changed]


def _described(document: Document, row: KeyRow | None, dates: DateRule, arrived_at: datetime) -> Document:
    fields = {**document.fields, **row.fields} if row else document.fields
    merchant = row.merchant_id if row and row.merchant_id else document.merchant_id
    date = dates.date_of(document.document_id, fields, arrived_at)
    if document.date_source == "key_table" and date.source != "key_table":
        date = document.date
    elif date.source == document.date_source == "arrival":
        date = DocumentDate(min(date.day, document.document_date), "arrival")
    return replace(document, merchant_id=merchant, fields=fields, document_date=date.day, date_source=date.source)
