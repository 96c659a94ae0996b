"""Results of searches without the documents that are forgotten."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord
from doc_assets.sources.names import document_id, document_of_label


def is_about(result: ResultRecord, forgotten: Collection[str]) -> bool:
    """Whether the query document is one of the forgotten ones."""
    name = PurePosixPath(result.query_document).name
    return document_id(name) in forgotten or document_of_label(name) in forgotten


def redacted(result: ResultRecord, forgotten: Collection[str]) -> ResultRecord:
    """The result without forgotten documents among what was found; the same one if there are none.

    Its labels are to be made again: nothing may stand accused by evidence that is gone. Pairs beyond those reported no
    longer count; screening again counts them.

    Args:
        result: of a query document that stays.
        forgotten: ids of the forgotten documents.
    """
    left = tuple(found for found in result.top_docs if found.document_id not in forgotten)
    faults = tuple(fault for fault in result.faults if document_id(fault.document or "") not in forgotten)
    if (len(left), len(faults)) == (len(result.top_docs), len(result.faults)):
        return result
    return replace(result, top_docs=left, faults=faults)


def notes_without(changed: Sequence[ChangedFinding], forgotten: Collection[str]) -> list[ChangedFinding]:
    """Notes of changed findings without those about forgotten documents."""
    return [each for each in changed if document_of_label(each.document) not in forgotten]
