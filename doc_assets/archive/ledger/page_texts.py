"""Text read on pages, by the digest of the document: read once for every content and engine."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, tuple_

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of, row_of
from doc_assets.archive.ledger.schema import PageTextRow
from doc_assets.datatypes import PageText


class PageTextLedger(LedgerPart):
    """The table ``page_texts``."""

    def known(self, sha256: str, engine_id: str) -> list[PageText]:
        """What that engine read in the document of that digest, in the order of pages."""
        query = (
            select(*columns_of(PageText, PageTextRow))
            .where(PageTextRow.sha256 == sha256, PageTextRow.engine == engine_id)
            .order_by(PageTextRow.page_index, PageTextRow.zone)
        )
        return [PageText(*row) for row in self._database.rows(query)]

    def remember(self, sha256: str, engine_id: str, texts: Sequence[PageText]) -> None:
        """Files what was read; the same page and zone again replaces it."""
        if not texts:
            return
        is_old = (
            PageTextRow.sha256 == sha256,
            PageTextRow.engine == engine_id,
            tuple_(PageTextRow.page_index, PageTextRow.zone).in_([(text.page_index, text.zone) for text in texts]),
        )
        now = datetime.now(UTC)
        rows = [row_of(text, sha256=sha256, engine=engine_id, read_at=now) for text in texts]
        with self._database.writing() as connection:
            connection.execute(delete(PageTextRow).where(*is_old))
            connection.execute(insert(PageTextRow), rows)
