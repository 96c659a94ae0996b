"""Collections of before homes had identities: taken over by the home whose documents they hold, by nobody else."""

from contextlib import closing
from itertools import islice

from sqlalchemy import select

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
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
    with closing(Database(ledger_url)) as database:
        if database.revision() != SCHEMA_REVISION:
            return
        filled = set(database.values(select(IndexedDocument.collection).distinct()))
        for name in filled.intersection(waiting):
            if _holds_strangers(database, store, name):
                store.refused[name] = (
                    f"The collection {name} holds points of documents that this home's ledger does not know: another "
                    "home fills it too. It is left as it is; `doc-assets rebuild-index` makes one of this home's own "
                    "from Parquet."
                )
            else:
                store.adopt(name, alias)


def _holds_strangers(database: Database, store: VectorStore, collection: str) -> bool:
    """Whether there is a point of a document, or of a content of one, that the ledger does not know."""
    query = select(DocumentRow.document_id, DocumentRow.sha256)
    payloads = store.scan_unclaimed(collection)
    while part := {(payload.document_id, payload.sha256) for payload in islice(payloads, _AT_ONCE)}:
        rows = database.rows_in(query, DocumentRow.document_id, {name for name, _ in part})
        if not part <= {(name, digest) for name, digest in rows}:
            return True
    return False
