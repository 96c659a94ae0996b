"""Sizes of pages that show photos, by the digest of the document, so that places on them can be compared in shares."""

from collections.abc import Collection, Mapping

from sqlalchemy import insert, select

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import delete_in
from doc_assets.archive.ledger.schema import PageSizeRow

PageOf = tuple[str, int]
"""SHA-256 of a document, and the index of a page in it, from 0."""


class PageSizeLedger(LedgerPart):
    """The table ``page_sizes``."""

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
