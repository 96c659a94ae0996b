"""Sizes of pages that show photos, by the digest of the document, so that places on them can be compared in shares."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, insert, select

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.rows import in_parts
from doc_assets.archive.ledger.schema import PageSizeRow

PageOf = tuple[str, int]
"""SHA-256 of a document, and the index of a page in it, from 0."""


class PageSizeLedger:
    """The table ``page_sizes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, sizes: Mapping[PageOf, tuple[int, int]]) -> None:
        """Files width and height of pages, in pixels as boxes are; those of a document that is noted are replaced."""
        if not sizes:
            return
        rows = [
            {"sha256": digest, "page_index": page, "width": width, "height": height}
            for (digest, page), (width, height) in sizes.items()
        ]
        with self._database.writing() as connection:
            for part in in_parts(sorted({digest for digest, _ in sizes})):
                connection.execute(delete(PageSizeRow).where(PageSizeRow.sha256.in_(part)))
            connection.execute(insert(PageSizeRow), rows)

    def of(self, digests: Collection[str]) -> dict[PageOf, tuple[int, int]]:
        """Width and height of the pages of documents with these digests, as far as they were noted."""
        found: dict[PageOf, tuple[int, int]] = {}
        with self._database.reading() as connection:
            for part in in_parts(sorted(digests)):
                query = select(PageSizeRow.sha256, PageSizeRow.page_index, PageSizeRow.width, PageSizeRow.height)
                rows = connection.execute(query.where(PageSizeRow.sha256.in_(part)))
                found |= {(digest, page): (width, height) for digest, page, width, height in rows}
        return found
