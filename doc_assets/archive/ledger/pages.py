"""What is known of pages by the digest of their document: text read on them, and sizes of those that show photos."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, tuple_

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of, delete_in, row_of
from doc_assets.archive.ledger.schema import PageSizeRow, PageTextRow
from doc_assets.datatypes import PageText

PageOf = tuple[str, int]
"""SHA-256 of a document, and the index of a page in it, from 0."""


class PageTextLedger(LedgerPart):
    """The table ``page_texts``: every content is read once by each engine."""

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
        is_old = tuple_(PageTextRow.page_index, PageTextRow.zone).in_([(each.page_index, each.zone) for each in texts])
        now = datetime.now(UTC)
        rows = [row_of(text, sha256=sha256, engine=engine_id, read_at=now) for text in texts]
        with self._database.writing() as connection:
            same = (PageTextRow.sha256 == sha256, PageTextRow.engine == engine_id, is_old)
            connection.execute(delete(PageTextRow).where(*same))
            connection.execute(insert(PageTextRow), rows)


class PageSizeLedger(LedgerPart):
    """The table ``page_sizes``, so that places on pages can be compared in shares."""

    def remember(self, sizes: Mapping[PageOf, tuple[int, int]]) -> None:
        """Files width and height of pages, in pixels as boxes are; those of a document that is noted are replaced."""
        if not sizes:
            return
        rows = [
            {"sha256": digest, "page_index": page, "width": width, "height": height}
            for (digest, page), (width, height) in sizes.items()
        ]
        with self._database.writing() as connection:
            delete_in(connection, PageSizeRow, PageSizeRow.sha256, {digest for digest, _ in sizes})
            connection.execute(insert(PageSizeRow), rows)

    def of(self, digests: Collection[str]) -> dict[PageOf, tuple[int, int]]:
        """Width and height of the pages of documents with these digests, as far as they were noted."""
        query = select(PageSizeRow.sha256, PageSizeRow.page_index, PageSizeRow.width, PageSizeRow.height)
        rows = self._database.rows_in(query, PageSizeRow.sha256, digests)
        return {(digest, page): (width, height) for digest, page, width, height in rows}
