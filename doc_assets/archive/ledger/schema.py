"""The ledger's tables. A change here needs a migration in ``migrations/versions``."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import override

_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
Json = JSON().with_variant(JSONB(), "postgresql")
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
    """Common base of all tables."""

    metadata = MetaData(naming_convention=_CONVENTION)


class InboxFile(Base):
    """A file now in the drop folder, as last seen; sealed into ``drop_key`` or still waiting."""

    __tablename__ = "inbox_files"

    path: Mapped[str] = mapped_column(Text, primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    unchanged_since: Mapped[datetime] = mapped_column(UtcDateTime)
    drop_key: Mapped[str | None] = mapped_column(Text)


class Drop(Base):
    """Documents that arrived together; its list of files never changes."""

    __tablename__ = "drops"

    drop_key: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    n_files: Mapped[int] = mapped_column(Integer)
    chunk_documents: Mapped[int] = mapped_column(Integer)


class DropStage(Base):
    """With which version a stage was last completed for a drop.

    ``target`` tells results of one stage apart that are kept side by side: the embedder of vectors, the kind of local
    features, the collection of points; empty for a stage that has one result.
    """

    __tablename__ = "drop_stages"

    drop_key: Mapped[str] = mapped_column(ForeignKey("drops.drop_key"), primary_key=True)
    stage: Mapped[str] = mapped_column(Text, primary_key=True)
    target: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[str] = mapped_column(Text)
    completed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DocumentRow(Base):
    """One arrival of a document: a file of a drop.

    ``id`` grows in the order of arrival. Of several arrivals of one ``document_id`` the newest readable one
    is current; only current documents have photos in the archive. ``document_date`` and ``date_source`` are filled in
    every row (see ``datatypes.DocumentDate``); SQLite cannot demand it of a column that is added later.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("drop_key", "position"),
        Index("ix_documents_document_id", "document_id"),
        Index("ix_documents_sha256", "sha256"),
        Index("ix_documents_state", "state"),
        Index("ix_documents_source_path", "source_path"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    drop_key: Mapped[str] = mapped_column(ForeignKey("drops.drop_key"))
    position: Mapped[int] = mapped_column(Integer)
    document_id: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    source_path: Mapped[str] = mapped_column(Text)
    merchant_id: Mapped[str | None] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    is_current: Mapped[bool] = mapped_column(Boolean)
    n_pages: Mapped[int | None] = mapped_column(Integer)
    n_photos: Mapped[int | None] = mapped_column(Integer)
    fields: Mapped[dict[str, str]] = mapped_column(Json)
    document_date: Mapped[date] = mapped_column(Date, nullable=True)
    date_source: Mapped[str] = mapped_column(Text, nullable=True)


class DocumentFault(Base):
    """What a stage could not do with an arrival; its state and reason are the sum of these rows.

    ``target`` as in ``drop_stages``. ``page_index`` and ``photo_index`` are None if the fault is about more than one.
    """

    __tablename__ = "document_faults"
    __table_args__ = (Index("ix_document_faults_row_id", "row_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    document_id: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    page_index: Mapped[int | None] = mapped_column(Integer)
    photo_index: Mapped[int | None] = mapped_column(Integer)
    code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


class IndexedDocument(Base):
    """That a collection holds the photos of an arrival."""

    __tablename__ = "indexed_documents"
    __table_args__ = (Index("ix_indexed_documents_document_id", "document_id"),)

    collection: Mapped[str] = mapped_column(Text, primary_key=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(Text)
    photos_left_out: Mapped[int] = mapped_column(Integer)


class CollectionRow(Base):
    """A collection, and the embedder that fills it; see ``collections.CollectionState``."""

    __tablename__ = "collections"

    collection: Mapped[str] = mapped_column(Text, primary_key=True)
    embedder: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyRequest(Base):
    """What became of a key of a key table, the last time it was asked for."""

    __tablename__ = "key_requests"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    line: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    correlation_id: Mapped[str] = mapped_column(Text)
    n_files: Mapped[int] = mapped_column(Integer)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Search(Base):
    """One search run."""

    __tablename__ = "searches"

    search_id: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    collection: Mapped[str] = mapped_column(Text)
    n_indexed_photos: Mapped[int] = mapped_column(Integer)
    settings: Mapped[dict[str, Any]] = mapped_column(Json)
    requested_by: Mapped[str | None] = mapped_column(Text)
    global_top_docs: Mapped[list[str] | None] = mapped_column(Json)
    changed_findings: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class SearchResult(Base):
    """What a search found for one query document."""

    __tablename__ = "search_results"
    __table_args__ = (Index("ix_search_results_document_id", "document_id"),)

    search_id: Mapped[str] = mapped_column(ForeignKey("searches.search_id"), primary_key=True)
    query_document: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    merchant_id: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    n_photos: Mapped[int] = mapped_column(Integer)
    best_document: Mapped[str | None] = mapped_column(Text)
    best_score: Mapped[float | None] = mapped_column(Float)
    document_id: Mapped[str | None] = mapped_column(Text)
    document_date: Mapped[date | None] = mapped_column(Date)
    date_source: Mapped[str | None] = mapped_column(Text)
    searched: Mapped[bool] = mapped_column(Boolean)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    doubt: Mapped[float] = mapped_column(Float)
    risk_score: Mapped[float | None] = mapped_column(Float)
    flagged: Mapped[bool] = mapped_column(Boolean)
    elapsed_s: Mapped[float] = mapped_column(Float)
    top_docs: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    legacy: Mapped[dict[str, Any]] = mapped_column(Json)
    fields: Mapped[dict[str, str]] = mapped_column(Json)
    faults: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class PhotoLink(Base):
    """That a photo of an arrival shows what a photo of another shows, as found when the first was searched for.

    A place of -1 is the file as a whole; see ``groups.StoredLink``. Links between pictures of the form join no groups.
    """

    __tablename__ = "photo_links"
    __table_args__ = (Index("ix_photo_links_row_id", "row_id"),)

    query_row: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    query_photo: Mapped[int] = mapped_column(Integer, primary_key=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    photo: Mapped[int] = mapped_column(Integer, primary_key=True)
    probability: Mapped[float] = mapped_column(Float)
    query_area: Mapped[list[float]] = mapped_column(Json)
    area: Mapped[list[float]] = mapped_column(Json)
    pair: Mapped[dict[str, Any] | None] = mapped_column(Json)
    is_form: Mapped[bool] = mapped_column(Boolean, server_default=false())


class PhotoGroup(Base):
    """Photos that show the same photograph, in numbers; see ``groups.GroupSummary``."""

    __tablename__ = "photo_groups"
    __table_args__ = (Index("ix_photo_groups_n_merchants", "n_merchants", "n_documents"),)

    group_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    n_photos: Mapped[int] = mapped_column(Integer)
    n_documents: Mapped[int] = mapped_column(Integer)
    n_merchants: Mapped[int] = mapped_column(Integer)
    first_date: Mapped[date | None] = mapped_column(Date)


class PhotoGroupMember(Base):
    """The group of a photo; a place of -1 is the file as a whole."""

    __tablename__ = "photo_group_members"
    __table_args__ = (Index("ix_photo_group_members_group_id", "group_id"),)

    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    photo: Mapped[int] = mapped_column(Integer, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("photo_groups.group_id"))


class FormPictureRow(Base):
    """A picture of the form, or what may be one, with the photo that stands for it; see ``form_pictures``."""

    __tablename__ = "form_pictures"
    __table_args__ = (Index("ix_form_pictures_state", "state"),)

    picture_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    state: Mapped[str] = mapped_column(Text)
    recognised_by: Mapped[str | None] = mapped_column(Text)
    row_id: Mapped[int | None] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"))
    photo: Mapped[int | None] = mapped_column(Integer)
    flatness: Mapped[float] = mapped_column(Float)
    n_photos: Mapped[int] = mapped_column(Integer)
    n_documents: Mapped[int] = mapped_column(Integer)
    n_merchants: Mapped[int] = mapped_column(Integer)
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FormPictureMember(Base):
    """The picture of the form that a photo shows, where it stands and how it looks; see ``form_pictures.SeenPhoto``."""

    __tablename__ = "form_picture_members"
    __table_args__ = (Index("ix_form_picture_members_picture_id", "picture_id"),)

    row_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    photo: Mapped[int] = mapped_column(Integer, primary_key=True)
    picture_id: Mapped[int] = mapped_column(ForeignKey("form_pictures.picture_id"))
    page_index: Mapped[int] = mapped_column(Integer)
    box: Mapped[list[int]] = mapped_column(Json)
    page_size: Mapped[list[int] | None] = mapped_column(Json)
    flatness: Mapped[float] = mapped_column(Float)
    look: Mapped[str | None] = mapped_column(Text)


class PageSizeRow(Base):
    """Size in pixels of a page that shows photos, upright and with square pixels, of the document with that content."""

    __tablename__ = "page_sizes"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    page_index: Mapped[int] = mapped_column(Integer, primary_key=True)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)


class PageTextRow(Base):
    """Text that an engine read in a zone of a page, of the document with that content; also outside the archive."""

    __tablename__ = "page_texts"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    engine: Mapped[str] = mapped_column(Text, primary_key=True)
    page_index: Mapped[int] = mapped_column(Integer, primary_key=True)
    zone: Mapped[str] = mapped_column(Text, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    confidence: Mapped[float] = mapped_column(Float)
    quarter_turns: Mapped[int] = mapped_column(Integer)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Tombstone(Base):
    """That something was forgotten: keyed digests that say nothing without the key in the home."""

    __tablename__ = "tombstones"

    mark: Mapped[str] = mapped_column(Text, primary_key=True)
    document_mark: Mapped[str] = mapped_column(Text, primary_key=True)
    forgotten_at: Mapped[datetime] = mapped_column(UtcDateTime)
