"""Finding and removing every row about a document."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, func, or_, select

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import delete_in
from doc_assets.archive.ledger.schema import Base, DocumentRow, InboxFile, KeyRequest, SearchResult

_MOST_OTHERS = 5000


class DocumentRemoval(LedgerPart):
    """All tables, seen from one document."""

    def shared_contents(self, digests: Collection[str], document_ids: Collection[str]) -> set[str]:
        """Those of these digests that a document which is not among ``document_ids`` has too."""
        query = select(DocumentRow.sha256, DocumentRow.document_id)
        rows = self._database.rows_in(query, DocumentRow.sha256, digests)
        return {digest for digest, name in rows if digest is not None and name not in document_ids}

    def inbox_paths(self) -> list[str]:
        """Every path of the drop folder that is noted."""
        return list(self._database.values(select(InboxFile.path)))

    def others_containing(self, words: Sequence[str], document_ids: Collection[str]) -> set[str]:
        """Names and paths of other documents in which one of ``words`` stands."""
        columns = (DocumentRow.document_id, DocumentRow.file_name, DocumentRow.source_path)
        holds = or_(*(column.contains(word, autoescape=True) for column in columns for word in words))
        query = select(*columns).where(and_(holds, DocumentRow.document_id.not_in(sorted(document_ids))))
        asked = or_(*(SearchResult.query_document.contains(word, autoescape=True) for word in words))
        with self._database.reading() as connection:
            archived = {value for row in connection.execute(query.limit(_MOST_OTHERS)) for value in row}
            queries = connection.execute(select(SearchResult.query_document).where(asked).limit(_MOST_OTHERS))
            return archived | set(queries.scalars())

    def remove(
        self, document_ids: Collection[str], digests: Collection[str], paths: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Removes the rows of documents, contents, noted paths and keys from every table, all at once.

        Args:
            document_ids: of the documents.
            digests: of contents that no other document has.
            paths: in the drop folder.
            keys: that may have named the documents, in small letters.
        """
        with self._database.writing() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                for name, values in (("document_id", document_ids), ("sha256", digests)):
                    if name in table.c:
                        delete_in(connection, table, table.c[name], values)
            delete_in(connection, KeyRequest, func.lower(KeyRequest.key), keys)
            delete_in(connection, InboxFile, InboxFile.path, paths)
