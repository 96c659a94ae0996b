"""The ledger's tables. A change here needs a migration in ``migrations/versions``."""

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import override

from doc_assets.archive.ledger.json_codec import JSON_TYPE, JsonOf
from doc_assets.archive.ledger.results import (
    ChangedFinding,
    EarlierFields,
    Finding,
    FoundDocuments,
    PhotoPair,
    SearchFault,
)
from doc_assets.archive.ledger.search_settings import SearchSettings

_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
Json = JSON_TYPE
BigKey = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on both sides; SQLite would give back naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Common base of all tables; a column that names no type has that of its annotation."""

    metadata = MetaData(naming_convention=_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcDateTime(),
        **dict.fromkeys(
            (dict[str, str], dict[str, Any], list[str], list[int], list[float], list[dict[str, Any]]), Json
        ),
    }


class InboxFile(Base):
    """A file now in the drop folder, as last seen; sealed into ``drop_key`` or still waiting."""

    __tablename__ = "inbox_files"

    path: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    unchanged_since: Mapped[datetime]
    drop_key: Mapped[str | None]


class Drop(Base):
    """Documents that arrived together; its list of files never changes."""

    __tablename__ = "drops"

    drop_key: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    sealed_at: Mapped[datetime]
    n_files: Mapped[int]
    chunk_documents: Mapped[int]


class DropStage(Base):
    """With which version a stage was last completed for a drop.

    ``target`` tells results of one stage apart that are kept side by side: the embedder of vectors, the kind of local
    features, the collection of points; empty for a stage that has one result.
    """

    __tablename__ = "drop_stages"

    drop_key: Mapped[str] = mapped_column(ForeignKey("drops.drop_key"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    completed_at: Mapped[datetime]


class DocumentRow(Base):
    """One arrival of a document: a file of a drop.

    ``id`` grows in the order of arrival. Of several arrivals of one ``document_id`` the newest readable one
    is current; only current documents have photos in the archive. ``document_date`` and ``date_source`` are filled in
    every row (see ``datatypes.DocumentDate``); SQLite cannot demand it of a column that is added later.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("drop_key", "position"),
        Index("ix_documents_merchant_id_document_date_id", "merchant_id", "document_date", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    drop_key: Mapped[str] = mapped_column(ForeignKey("drops.drop_key"))
    position: Mapped[int]
    document_id: Mapped[str] = mapped_column(index=True)
    file_name: Mapped[str]
    source_path: Mapped[str] = mapped_column(index=True)
    merchant_id: Mapped[str | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    reason_code: Mapped[str | None]
    reason: Mapped[str | None]
    is_current: Mapped[bool]
    n_pages: Mapped[int | None]
    n_photos: Mapped[int | None]
    fields: Mapped[dict[str, str]]
    document_date: Mapped[date] = mapped_column(nullable=True)
    date_source: Mapped[str] = mapped_column(nullable=True)


class DocumentFault(Base):
    """What a stage could not do with an arrival; its state and reason are the sum of these rows.

    ``target`` as in ``drop_stages``. ``page_index`` and ``photo_index`` are None if the fault is about more than one.
    """

    __tablename__ = "document_faults"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), index=True)
    document_id: Mapped[str]
    stage: Mapped[str]
    target: Mapped[str]
    page_index: Mapped[int | None]
    photo_index: Mapped[int | None]
    code: Mapped[str]
    reason: Mapped[str]


class IndexedDocument(Base):
    """That a collection holds the photos of an arrival."""

    __tablename__ = "indexed_documents"

    collection: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(index=True)
    photos_left_out: Mapped[int]


class CollectionRow(Base):
    """A collection, and the embedder that fills it; see ``collections.CollectionState``."""

    __tablename__ = "collections"

    collection: Mapped[str] = mapped_column(primary_key=True)
    embedder: Mapped[str]
    options: Mapped[dict[str, Any]]
    state: Mapped[str]
    since: Mapped[datetime]


class KeyRequest(Base):
    """What became of a key of a key table, the last time it was asked for."""

    __tablename__ = "key_requests"

    source: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[int]
    state: Mapped[str]
    reason: Mapped[str | None]
    correlation_id: Mapped[str]
    n_files: Mapped[int]
    asked_at: Mapped[datetime]


class Search(Base):
    """One search run."""

    __tablename__ = "searches"

    search_id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    collection: Mapped[str]
    n_indexed_photos: Mapped[int]
    settings: Mapped[SearchSettings] = mapped_column(JsonOf(SearchSettings))
    requested_by: Mapped[str | None]
    global_top_docs: Mapped[list[str] | None]
    changed_findings: Mapped[tuple[ChangedFinding, ...]] = mapped_column(JsonOf(tuple[ChangedFinding, ...]))


class SearchResult(Base):
    """What a search found for one query document."""

    __tablename__ = "search_results"

    search_id: Mapped[str] = mapped_column(ForeignKey("searches.search_id"), primary_key=True)
    query_document: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    merchant_id: Mapped[str | None]
    state: Mapped[str]
    error: Mapped[str | None]
    n_photos: Mapped[int]
    best_document: Mapped[str | None]
    best_score: Mapped[float | None]
    document_id: Mapped[str | None] = mapped_column(index=True)
    document_date: Mapped[date | None]
    date_source: Mapped[str | None]
    searched: Mapped[bool]
    findings: Mapped[tuple[Finding, ...]] = mapped_column(JsonOf(tuple[Finding, ...]))
    doubt: Mapped[float]
    risk_score: Mapped[float | None]
    flagged: Mapped[bool]
    elapsed_s: Mapped[float]
    top_docs: Mapped[FoundDocuments] = mapped_column(JsonOf(FoundDocuments))
    legacy: Mapped[EarlierFields] = mapped_column(JsonOf(EarlierFields))
    fields: Mapped[dict[str, str]]
    faults: Mapped[tuple[SearchFault, ...]] = mapped_column(JsonOf(tuple[SearchFault, ...]))


class PhotoLink(Base):
    """That a photo of an arrival shows what a photo of another shows, as found when the first was searched for.

    A place of -1 is the file as a whole; see ``groups.StoredLink``. Links between pictures of the form join no groups.
    """

    __tablename__ = "photo_links"

    query_row: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    query_photo: Mapped[int] = mapped_column(primary_key=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True, index=True)
    photo: Mapped[int] = mapped_column(primary_key=True)
    probability: Mapped[float]
    query_area: Mapped[list[float]]
    area: Mapped[list[float]]
    pair: Mapped[PhotoPair | None] = mapped_column(JsonOf(PhotoPair))
    is_form: Mapped[bool] = mapped_column(server_default=false())


class PhotoGroup(Base):
    """Photos that show the same photograph, in numbers; see ``groups.GroupSummary``."""

    __tablename__ = "photo_groups"
    __table_args__ = (Index("ix_photo_groups_n_merchants", "n_merchants", "n_documents"),)

    group_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    n_photos: Mapped[int]
    n_documents: Mapped[int]
    n_merchants: Mapped[int]
    first_date: Mapped[date | None]


class PhotoGroupMember(Base):
    """The group of a photo; a place of -1 is the file as a whole."""

    __tablename__ = "photo_group_members"

    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    photo: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("photo_groups.group_id"), index=True)


class FormPictureRow(Base):
    """A picture of the form, or what may be one, with the photo that stands for it; see ``form_pictures``."""

    __tablename__ = "form_pictures"

    picture_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    state: Mapped[str] = mapped_column(index=True)
    recognised_by: Mapped[str | None]
    row_id: Mapped[int | None] = mapped_column(BigKey)
    photo: Mapped[int | None]
    flatness: Mapped[float]
    n_photos: Mapped[int]
    n_documents: Mapped[int]
    n_merchants: Mapped[int]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class FormPictureMember(Base):
    """The picture of the form that a photo shows, where it stands and how it looks; see ``form_pictures.SeenPhoto``."""

    __tablename__ = "form_picture_members"

    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    photo: Mapped[int] = mapped_column(primary_key=True)
    picture_id: Mapped[int] = mapped_column(ForeignKey("form_pictures.picture_id"), index=True)
    page_index: Mapped[int]
    box: Mapped[list[int]]
    page_size: Mapped[list[int] | None]
    flatness: Mapped[float]
    look: Mapped[str | None]


class PageSizeRow(Base):
    """Size in pixels of a page that shows photos, upright and with square pixels, of the document with that content."""

    __tablename__ = "page_sizes"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    page_index: Mapped[int] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]


class PageTextRow(Base):
    """Text that an engine read in a zone of a page, of the document with that content; also outside the archive."""

    __tablename__ = "page_texts"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    page_index: Mapped[int] = mapped_column(primary_key=True)
    zone: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]
    confidence: Mapped[float]
    quarter_turns: Mapped[int]
    read_at: Mapped[datetime]


class Tombstone(Base):
    """That something was forgotten: keyed digests that say nothing without the key in the home."""

    __tablename__ = "tombstones"

    mark: Mapped[str] = mapped_column(primary_key=True)
    document_mark: Mapped[str] = mapped_column(primary_key=True)
    forgotten_at: Mapped[datetime]


ONLY_ADDED = ("verdicts", "audit")
"""Tables whose rows the database refuses to change; they hold no name of a document."""


class ReviewCase(Base):
    """A document that a person must judge; see ``cases.Case``. ``rank`` orders the queue, the highest first."""

    __tablename__ = "review_cases"
    __table_args__ = (
        Index("ix_review_cases_state_rank", "state", "rank", "case_id"),
        Index("ix_review_cases_state_probability", "state", "probability", "case_id"),
        Index("ix_review_cases_state_opened_at", "state", "opened_at", "case_id"),
        Index("ix_review_cases_business", "business"),
        Index("ix_review_cases_holder", "holder"),
        Index("ix_review_cases_merchant_id", "merchant_id"),
        Index("ix_review_cases_drop_key", "drop_key"),
        {"sqlite_autoincrement": True},  # verdicts and audit go on naming cases that are gone
    )

    case_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), unique=True)
    drop_key: Mapped[str]
    merchant_id: Mapped[str | None]
    state: Mapped[str]
    rank: Mapped[float]
    parts: Mapped[dict[str, float]] = mapped_column(Json)
    n_pairs: Mapped[int]
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    holder: Mapped[str | None]
    held_until: Mapped[datetime | None]
    business: Mapped[str | None]
    probability: Mapped[float] = mapped_column(server_default=text("0"))


class ReviewPair(Base):
    """Two photos that a case is about; see ``cases.CasePair``. A place of -1 is the file as a whole."""

    __tablename__ = "review_pairs"

    case_id: Mapped[int] = mapped_column(ForeignKey("review_cases.case_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    pair_key: Mapped[str] = mapped_column(index=True)
    photo: Mapped[int]
    other_row: Mapped[int | None] = mapped_column(ForeignKey("documents.id", ondelete="SET NULL"), index=True)
    other_photo: Mapped[int]
    finding: Mapped[str]
    probability: Mapped[float]
    pair: Mapped[PhotoPair | None] = mapped_column(JsonOf(PhotoPair))


class VerdictRow(Base):
    """What a person said of two photos; rows are only added, the database refuses to change them."""

    __tablename__ = "verdicts"

    verdict_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    pair_key: Mapped[str] = mapped_column(index=True)
    case_id: Mapped[int] = mapped_column(BigInteger, index=True)
    stage: Mapped[str]
    person: Mapped[str]
    at: Mapped[datetime]
    photograph: Mapped[str | None]
    use: Mapped[str | None]
    withdraws: Mapped[int | None] = mapped_column(BigInteger)
    snapshot: Mapped[dict[str, Any]]


class ReviewComment(Base):
    """What a person wrote about a case; goes with its document."""

    __tablename__ = "review_comments"

    comment_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("review_cases.case_id", ondelete="CASCADE"), index=True)
    person: Mapped[str]
    at: Mapped[datetime]
    text: Mapped[str]


class AuditRow(Base):
    """Who did what in the review desk; rows are only added, each bound to the one before by its digest."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[datetime]
    person: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    digest: Mapped[str]


class SavedFilterRow(Base):
    """A filter of the queue that a person keeps; see ``saved_filters.SavedFilter``."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("person", "name"),)

    filter_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    person: Mapped[str]
    name: Mapped[str]
    query: Mapped[str]
    saved_at: Mapped[datetime]


class DeskSearchRow(Base):
    """A search that somebody of the review desk asked for; see ``desk_searches.DeskSearch``."""

    __tablename__ = "desk_searches"
    __table_args__ = (
        Index("ix_desk_searches_requested_by_number", "requested_by", "number"),
        {"sqlite_autoincrement": True},  # the audit goes on naming searches that are gone
    )

    number: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    requested_by: Mapped[str]
    asked_at: Mapped[datetime]
    folder: Mapped[str]
    keeps: Mapped[bool]
    run_id: Mapped[str | None] = mapped_column(unique=True)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    failure: Mapped[str | None]


class DeskFile(Base):
    """A file of such a search; ``document_id`` is that of a document of its name."""

    __tablename__ = "desk_files"

    number: Mapped[int] = mapped_column(ForeignKey("desk_searches.number", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    document_id: Mapped[str] = mapped_column(index=True)
    label: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
