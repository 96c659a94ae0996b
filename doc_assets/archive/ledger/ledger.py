"""The ledger as one object: open it, use its parts, close it."""

from pathlib import Path
from types import TracebackType
from typing import Self

from doc_assets.archive.ledger.audit import AuditLedger
from doc_assets.archive.ledger.cases import CaseLedger
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.document_faults import FaultLedger
from doc_assets.archive.ledger.documents import DocumentLedger
from doc_assets.archive.ledger.form_pictures import FormPictureLedger
from doc_assets.archive.ledger.groups import GroupLedger
from doc_assets.archive.ledger.intake import IntakeLedger
from doc_assets.archive.ledger.keys import KeyLedger
from doc_assets.archive.ledger.page_sizes import PageSizeLedger
from doc_assets.archive.ledger.page_texts import PageTextLedger
from doc_assets.archive.ledger.queries import DocumentQueries
from doc_assets.archive.ledger.searches import SearchLedger
from doc_assets.archive.ledger.tombstones import TombstoneLedger


class Ledger:
    """Everything SQL.

    Attributes:
        intake: the drop folder and sealing.
        documents: what became of every document.
        faults: what stages could not do with documents.
        collections: which collections there are and what they hold.
        searches: what searches found.
        groups: which photos show the same photograph.
        form_pictures: which photos show a picture of the form.
        cases: what the review desk has to judge, and what was said of it.
        audit: who did what there.
        keys: what became of the keys of key tables.
        page_texts: text read on pages.
        page_sizes: sizes of pages that show photos.
        queries: single documents and the results that name them, for people.
        tombstones: that documents were forgotten.
        database: all of it, for what concerns every table.
    """

    def __init__(self, database: Database, forgotten_key: Path | None = None) -> None:
        self.database = database
        self.intake = IntakeLedger(database)
        self.documents = DocumentLedger(database)
        self.faults = FaultLedger(database)
        self.collections = CollectionLedger(database)
        self.searches = SearchLedger(database)
        self.groups = GroupLedger(database)
        self.form_pictures = FormPictureLedger(database)
        self.cases = CaseLedger(database)
        self.audit = AuditLedger(database)
        self.keys = KeyLedger(database)
        self.page_texts = PageTextLedger(database)
        self.page_sizes = PageSizeLedger(database)
        self.queries = DocumentQueries(database)
        self.tombstones = TombstoneLedger(database, forgotten_key)

    @classmethod
    def open(cls, url: str, forgotten_key: Path | None = None) -> Self:
        """The ledger at an SQLAlchemy URL, its tables made or brought up to date.

        Args:
            url: of the database.
            forgotten_key: file of the key of tombstones; needed by whoever takes in or forgets documents.

        Raises:
            ServiceError: if the database does not answer.
            LedgerSchemaError: if its tables are newer than this program.
        """
        database = Database(url)
        database.migrate()
        return cls(database, forgotten_key)

    def close(self) -> None:
        """Gives its connections back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
