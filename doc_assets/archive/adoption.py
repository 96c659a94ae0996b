"""Collections of before homes had identities: taken over by the home whose documents they hold, by nobody else."""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import func, select

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.ledger.rows import in_parts
from doc_assets.archive.ledger.schema import DocumentRow, IndexedDocument
from doc_assets.archive.vectors.base import VectorStore

_AT_ONCE = 2000


def adopt_collections(store: VectorStore, ledger_url: str, alias: str) -> None:
    """Claims what is the home's own of the collections that no home has claimed.

    A collection is a home's if the ledger says that it filled one of that name and knows the document of every point.
    """
    waiting = store.unclaimed()
    if not waiting or is_absent(ledger_url):
        return
    database = Database(ledger_url)
    try:
        if database.revision() != SCHEMA_REVISION:
            return
        for name in waiting:
            if not _filled(database, name):
                continue
            strangers = sum(1 for _ in islice(_strangers(database, store, name), 1))
            if strangers:
                store.refuse(
                    name,
                    f"The collection {name} holds points of documents that this home's ledger does not know: another "
                    "home fills it too. It is left as it is; `doc-assets rebuild-index` makes one of this home's own "
                    "from Parquet.",
                )
            else:
                store.adopt(name, alias)
    finally:
        database.close()


def _filled(database: Database, collection: str) -> bool:
    query = select(func.count()).select_from(IndexedDocument).where(IndexedDocument.collection == collection)
    with database.reading() as connection:
        return bool(connection.execute(query).scalar_one())


def _strangers(database: Database, store: VectorStore, collection: str) -> Iterator[tuple[str, str]]:
    """Documents of points, with the digest of their content, that the ledger does not know."""
    payloads = store.scan_unclaimed(collection)
    while part := {(payload.document_id, payload.sha256) for payload in islice(payloads, _AT_ONCE)}:
        known: set[tuple[str, str | None]] = set()
        with database.reading() as connection:
            for names in in_parts(sorted({name for name, _ in part})):
                query = select(DocumentRow.document_id, DocumentRow.sha256).where(DocumentRow.document_id.in_(names))
                known |= {(name, digest) for name, digest in connection.execute(query)}
        yield from part - known
