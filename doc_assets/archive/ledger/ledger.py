"""The ledger as one object: open it, use its parts, close it."""

from pathlib import Path
from typing import Self

from doc_assets.archive.ledger.audit import AuditLedger
from doc_assets.archive.ledger.cases import CaseLedger
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.desk_searches import DeskSearchLedger
from doc_assets.archive.ledger.document_faults import FaultLedger
from doc_assets.archive.ledger.documents import DocumentLedger
from doc_assets.archive.ledger.erasure import TombstoneLedger
from doc_assets.archive.ledger.form_pictures import FormPictureLedger
from doc_assets.archive.ledger.groups import GroupLedger
from doc_assets.archive.ledger.intake import IntakeLedger, KeyLedger
from doc_assets.archive.ledger.pages import PageSizeLedger, PageTextLedger
from doc_assets.archive.ledger.queries import DocumentQueries
from doc_assets.archive.ledger.review_figures import ReviewFigureLedger
from doc_assets.archive.ledger.saved_filters import SavedFilterLedger
from doc_assets.archive.ledger.searches import SearchLedger
from doc_assets.archive.ledger.traces import TraceLedger


class Ledger:
    """Everything SQL, by subject; each subject's class says what it holds."""

    def __init__(self, database: Database, forgotten_key: Path | None = None) -> None:
        self.database = database  # all of it, for what concerns every table
        self.intake = IntakeLedger(database)
        self.documents = DocumentLedger(database)
        self.faults = FaultLedger(database)
        self.collections = CollectionLedger(database)
        self.searches = SearchLedger(database)
        self.desk_searches = DeskSearchLedger(database)
        self.groups = GroupLedger(database)
        self.form_pictures = FormPictureLedger(database)
        self.cases = CaseLedger(database)
        self.audit = AuditLedger(database)
        self.traces = TraceLedger(database)
        self.saved_filters = SavedFilterLedger(database)
        self.review_figures = ReviewFigureLedger(database)
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

    def __exit__(self, *_: object) -> None:
        self.close()
