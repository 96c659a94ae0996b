"""``doc-assets list-documents`` and ``doc-assets show``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from rich.table import Table
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.browsing import DocumentFilter, DropRecord, Mention
from doc_assets.archive.ledger.groups import GroupMember
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.tracing import StoredFile, TracedPhoto, files_of, photos_of
from doc_assets.commands.console import console
from doc_assets.commands.groups import print_members
from doc_assets.datatypes import DateSource
from doc_assets.errors import InputError
from doc_assets.settings import Settings
from doc_assets.sources.names import called

_MAX_MENTIONS = 100
_SOURCES: dict[DateSource, str] = {"key_table": "key table", "name": "name", "arrival": "arrival"}


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some of the arrivals that a filter lets through."""

    total: int
    offset: int
    documents: list[Document]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One arrival of a document, its drop, and what is kept of it in files and in which collections."""

    document: Document
    drop: DropRecord
    files: list[StoredFile]
    collections: list[str]


@dataclass(frozen=True, slots=True)
class DocumentStory:
    """Everything known of a document.

    Attributes:
        document_id: what it is called.
        arrivals: oldest first.
        photos: of the version that is in the archive.
        groups: photo groups of these photos, with every document that shows the same.
        as_query: results about it, newest first, the first hundred.
        as_match: results that rank it, newest first, the first hundred.
    """

    document_id: str
    arrivals: list[Arrival]
    photos: list[TracedPhoto]
    groups: list[GroupMember]
    as_query: list[Mention]
    as_match: list[Mention]


def list_documents(settings: Settings, wanted: DocumentFilter, limit: int, offset: int) -> DocumentPage:
    """Arrivals in order, ``limit`` of them from ``offset`` on."""
    with Ledger.open(settings.ledger_address) as ledger:
        total, documents = ledger.browsing.page(wanted, limit, offset)
    return DocumentPage(total, offset, documents)


def print_documents(page: DocumentPage) -> None:
    """The arrivals as a table."""
    table = Table("drop", "document", "date", "by", "state", "code", "merchant", "pages", "photos", "in archive")
    for document in page.documents:
        table.add_row(
            document.drop_key,
            document.file_name,
            document.document_date.isoformat(),
            _SOURCES[document.date_source],
            document.state,
            document.reason_code or "",
            document.merchant_id or "",
            _text(document.n_pages),
            _text(document.n_photos),
            "yes" if document.is_current else "",
        )
    console().print(table)
    console().print(
        f"{page.offset + 1 if page.documents else 0} to {page.offset + len(page.documents)} of {page.total}"
    )


def document_story(settings: Settings, name: str) -> DocumentStory:
    """Everything known of a document, by its id, its file name or a path that ends in it.

    Raises:
        InputError: if it never arrived.
    """
    with Ledger.open(settings.ledger_address) as ledger:
        archive = Archive(ledger, UPath(settings.bulk))
        arrivals = _arrivals(ledger, name)
        if not arrivals:
            raise InputError(f"No document {name!r} ever arrived. `doc-assets list-documents` shows what did.")
        drops = ledger.browsing.drops(sorted({document.drop_key for document in arrivals}))
        names = sorted({document.file_name for document in arrivals})
        current = [document for document in arrivals if document.is_current]
        return DocumentStory(
            arrivals[0].document_id,
            [
                Arrival(each, drops[each.drop_key], files_of(archive, each), ledger.collections.holding(each.id))
                for each in arrivals
            ],
            [photo for document in current for photo in photos_of(archive, document)],
            _groups(ledger, current),
            ledger.browsing.as_query(names, _MAX_MENTIONS),
            [mention for each in names for mention in ledger.browsing.as_match(each, _MAX_MENTIONS)],
        )


def _groups(ledger: Ledger, current: Sequence[Document]) -> list[GroupMember]:
    groups = ledger.groups.of_rows([document.id for document in current])
    return ledger.groups.members(set(groups.values()))


def _arrivals(ledger: Ledger, name: str) -> list[Document]:
    """By the name as it is, which may hold a dot, then by what a file of that name would be called."""
    return ledger.browsing.arrivals(called(name, lambda candidate: bool(ledger.browsing.arrivals(candidate))))


def as_json(value: Any) -> Any:  # noqa: ANN401 - a tree of data classes
    """Data classes as dictionaries, times as RFC 3339."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    return as_json(asdict(value)) if hasattr(value, "__dataclass_fields__") else value


def print_story(story: DocumentStory) -> None:
    """The story in words and tables."""
    out = console()
    out.print(story.document_id)
    for arrival in story.arrivals:
        _print_arrival(arrival)
    if story.photos:
        table = Table("photo", "page", "box")
        for photo in story.photos:
            table.add_row(str(photo.photo + 1), str(photo.page), str(photo.box))
        out.print(table)
    _print_groups(story.groups)
    _print_mentions("as query", story.as_query)
    _print_mentions("as match", story.as_match)


def _print_arrival(arrival: Arrival) -> None:
    out, document, drop = console(), arrival.document, arrival.drop
    kept = "in the archive" if document.is_current else "not in the archive"
    out.print(f"\n{drop.drop_key}  sealed {drop.sealed_at.isoformat(timespec='seconds')}  {document.state}, {kept}")
    if document.reason_code:
        out.print(f"  reason    {document.reason_code}: {document.reason}")
    out.print(f"  file      {document.source_path} ({document.size_bytes:,} bytes)")
    out.print(f"  date      {document.document_date.isoformat()} by its {_SOURCES[document.date_source]}")
    shown = {"merchant_id": "merchant", "sha256": "SHA-256", "n_pages": "pages", "n_photos": "photos"}
    for name in (field.name for field in fields(document) if field.name in shown):
        value = getattr(document, name)
        if value is not None:
            out.print(f"  {shown[name]:<9} {value}")
    for collection in arrival.collections:
        out.print(f"  indexed   {collection}")
    for file in arrival.files:
        out.print(f"  {file.what:<9} {file.path}{'' if file.exists else '  GONE'}")


def _print_groups(members: Sequence[GroupMember]) -> None:
    if not members:
        console().print("No other document of the archive was found to show one of its photos.")
        return
    print_members(members, "Photos that others show too")


def _print_mentions(title: str, mentions: Sequence[Mention]) -> None:
    if not mentions:
        console().print(f"No result names it {title}.")
        return
    table = Table("search", "started", "query", "rank", "score", "photos matched", "risk", title=f"Results: {title}")
    for mention in mentions:
        table.add_row(
            mention.search_id,
            mention.started_at.isoformat(timespec="seconds"),
            mention.query_document,
            _text(mention.rank),
            "" if mention.score is None else f"{mention.score:.3f}",
            str(mention.n_matched_photos),
            ("" if mention.risk_score is None else f"{mention.risk_score:.2f}") + (" !" if mention.flagged else ""),
        )
    console().print(table)


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
