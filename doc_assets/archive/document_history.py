"""Everything known of a document: its arrivals, photos and files, and the results that name it."""

from dataclasses import dataclass

from doc_assets.archive.archive import Archive, chunk_of
from doc_assets.archive.ledger.groups import GroupMember
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.queries import DropRecord, Mention
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_payloads
from doc_assets.errors import InputError
from doc_assets.sources.names import called
from doc_assets.sources.staging import staged_path

_MAX_MENTIONS = 100


@dataclass(frozen=True, slots=True)
class TracedPhoto:
    """A photo: its number within the document from 0, page from 1, and box (left, top, right, bottom) in pixels."""

    photo: int
    page: int
    box: list[int]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that holds something of a document, and whether it is there."""

    what: str
    path: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """One arrival of a document, its drop, and what is kept of it in files and in which collections."""

    document: Document
    drop: DropRecord
    files: list[StoredFile]
    collections: list[str]


@dataclass(frozen=True, slots=True)
class DocumentHistory:
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


def document_history(archive: Archive, name: str) -> DocumentHistory:
    """Everything known of a document, by its id, its file name or a path that ends in it.

    Raises:
        InputError: if it never arrived.
    """
    ledger = archive.ledger
    find = ledger.documents.arrivals
    arrivals = find([called(name, lambda candidate: bool(find([candidate])))])
    if not arrivals:
        raise InputError(f"No document {name!r} ever arrived. `doc-assets list-documents` shows what did.")
    names = sorted({document.file_name for document in arrivals})
    current = [document for document in arrivals if document.is_current]
    drops = ledger.queries.drops(sorted({document.drop_key for document in arrivals}))
    holding = ledger.collections.holding
    groups = ledger.groups.of_rows([document.id for document in current])
    return DocumentHistory(
        arrivals[0].document_id,
        [Arrival(each, drops[each.drop_key], files_of(archive, each), holding(each.id)) for each in arrivals],
        [photo for document in current for photo in photos_of(archive, document)],
        ledger.groups.members(set(groups.values())),
        ledger.queries.as_query(names, _MAX_MENTIONS),
        [mention for each in names for mention in ledger.queries.as_match(each, _MAX_MENTIONS)],
    )


def document_with_number(ledger: Ledger, number: int) -> str:
    """The id of the document of which an arrival has this number in the ledger.

    Raises:
        InputError: if none has.
    """
    for arrival in ledger.documents.with_row_ids([number]):
        return arrival.document_id
    raise InputError(f"No arrival has the number {number}. `doc-assets list-documents` shows them all.")


def photos_of(archive: Archive, document: Document) -> list[TracedPhoto]:
    """The photos of a current document, in order; empty if they were not cut yet."""
    shard = archive.photo_shard(chunk_of(document, archive.chunks(document.drop_key)))
    if not shard.exists():
        return []
    found = [
        TracedPhoto(payload.photo_index, payload.page_index + 1, payload.box.as_list())
        for payload in read_payloads(shard)
        if (payload.document_id, payload.sha256) == (document.document_id, document.sha256)
    ]
    return sorted(found, key=lambda photo: photo.photo)


def files_of(archive: Archive, document: Document) -> list[StoredFile]:
    """The staged copy and every table that holds rows of this arrival."""
    files = []
    if document.sha256 is not None:
        staged = staged_path(archive.bulk, document.sha256)
        files.append(StoredFile("copy", str(staged), staged.exists()))
    if not document.is_current:
        return files
    chunk = chunk_of(document, archive.chunks(document.drop_key))
    photos = archive.photo_shard(chunk)
    files.append(StoredFile("photos", str(photos), photos.exists()))
    derived = [path for path in archive.derived_shards(chunk) if path.exists()]
    return [*files, *(StoredFile(path.parent.parent.parent.name, str(path), exists=True) for path in derived)]
