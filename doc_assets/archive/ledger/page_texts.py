"""Text read on pages, by the digest of the document: read once for every content and engine."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, insert, select

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.schema import PageTextRow
from doc_assets.datatypes import PageText

_KEYS_A_STATEMENT = 500


class PageTextLedger:
    """The table ``page_texts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, sha256: str, engine_id: str) -> list[PageText]:
        """What that engine read in the document of that digest, in the order of pages."""
        query = (
            select(
                PageTextRow.page_index,
                PageTextRow.zone,
                PageTextRow.text,
                PageTextRow.confidence,
                PageTextRow.quarter_turns,
            )
            .where(PageTextRow.sha256 == sha256, PageTextRow.engine == engine_id)
            .order_by(PageTextRow.page_index, PageTextRow.zone)
        )
        with self._database.reading() as connection:
            return [PageText(*row) for row in connection.execute(query)]

    def remember(self, sha256: str, engine_id: str, texts: Sequence[PageText]) -> None:
        """Files what was read; the same page and zone again replaces it."""
        if not texts:
            return
        document = {"sha256": sha256, "engine": engine_id}
        old = delete(PageTextRow).where(
            PageTextRow.sha256 == sha256,
            PageTextRow.engine == engine_id,
            PageTextRow.page_index == bindparam("old_page"),
            PageTextRow.zone == bindparam("old_zone"),
        )
        new = [
            {
                **document,
                "page_index": text.page_index,
                "zone": text.zone,
                "text": text.text,
                "confidence": text.confidence,
                "quarter_turns": text.quarter_turns,
                "read_at": datetime.now(UTC),
            }
            for text in texts
        ]
        with self._database.writing() as connection:
            connection.execute(old, [{"old_page": text.page_index, "old_zone": text.zone} for text in texts])
            connection.execute(insert(PageTextRow), new)

    def forget(self, digests: Sequence[str]) -> int:
        """Removes the text of these documents, by whatever engine; returns the number of rows."""
        removed = 0
        with self._database.writing() as connection:
            for start in range(0, len(digests), _KEYS_A_STATEMENT):
                part = digests[start : start + _KEYS_A_STATEMENT]
                removed += connection.execute(delete(PageTextRow).where(PageTextRow.sha256.in_(part))).rowcount
        return removed
