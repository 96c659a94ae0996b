"""A result in one row: what every table, export and list says of a query document, from one place."""

from collections.abc import Iterable, Iterator

from doc_assets.archive.ledger.results import Finding, ResultRecord
from doc_assets.errors import InconsistentResultError
from doc_assets.reports.tables import Cell
from doc_assets.reports.wording import best_pair, reasons, said_of

HEADLINE = (
    "risk_score",
    "flagged",
    "finding",
    "source_document",
    "source_merchant_id",
    "document_date",
    "date_source",
    "source_date",
    "probability",
    "done_to_photo",
    "doubt",
    "why",
)
"""The columns; docs/results.md says what they mean."""


def headline(result: ResultRecord) -> dict[str, Cell]:
    """What a result comes to, by column."""
    finding = result.finding
    source = None if finding is None or finding.kind == "first_use" else finding.first_use
    return {
        "risk_score": result.risk_score,
        "flagged": result.flagged,
        "finding": finding.kind if finding else None,
        "source_document": source.document if source else None,
        "source_merchant_id": source.merchant_id if source else None,
        "document_date": result.document_date.isoformat() if result.document_date else None,
        "date_source": result.date_source,
        "source_date": source.document_date.isoformat() if source else None,
        "probability": finding.probability if finding else None,
        "done_to_photo": ", ".join(done_to_photo(result, finding)) if finding else None,
        "doubt": result.doubt,
        "why": " / ".join(reason.text.ko for reason in reasons(result)),
    }


def require_consistent(results: Iterable[ResultRecord]) -> None:
    """Refuses to show results that contradict themselves: a flag without a reason that counts, or the reverse.

    Results of earlier versions, which have neither dates nor findings, are left out until they are labelled anew.

    Raises:
        InconsistentResultError: at the first one.
    """
    for result in results:
        is_said = any(reason.counts for reason in reasons(result))
        if result.document_date is not None and result.flagged != is_said:
            raise InconsistentResultError(result.position + 1, is_flagged=result.flagged)


def done_to_photo(result: ResultRecord, finding: Finding) -> Iterator[str]:
    """What was done to the photo of a finding, or why it is alike, in English; nothing where no pair shows it."""
    if finding.photo is None:
        yield "identical file"
        return
    shown = best_pair(result, finding)
    if shown is not None:
        yield from (text.en for text in said_of(shown[1]))
