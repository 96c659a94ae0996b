"""What the ledger holds of the keys of a source."""

from collections import Counter

from sqlalchemy import select

from doc_assets.archive.ledger.intake import KeyOutcome
from doc_assets.archive.ledger.rows import columns_of
from doc_assets.archive.ledger.schema import KeyRequest


def key_outcomes(ledger, source):
    """Outcomes of all keys, by line."""
    query = select(*columns_of(KeyOutcome, KeyRequest)).where(KeyRequest.source == source).order_by(KeyRequest.line)
    return [KeyOutcome(*row) for row in ledger.database.rows(query)]


def key_counts(ledger, source):
    return Counter(outcome.state for outcome in key_outcomes(ledger, source))


def key_problems(ledger, source):
    """Keys that were not found, by line."""
    return [outcome for outcome in key_outcomes(ledger, source) if outcome.state != "found"]
