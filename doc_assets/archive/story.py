"""Everything known of a document: its arrivals, photos and files, and the results that name it."""

from collections.abc import Sequence
from dataclasses import dataclass

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.browsing import DropRecord, Mention
from doc_assets.archive.ledger.groups import GroupMember
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.tracing import StoredFile, TracedPhoto, files_of, photos_of
from doc_assets.errors import InputError
from doc_assets.sources.names import called

_MAX_MENTIONS = 100


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


def document_story(archive: Archive, name: str) -> DocumentStory:
    """Everything known of a document, by its id, its file name or a path that ends in it.

    Raises:
        InputError: if it never arrived.
    """
    ledger = archive.ledger
    arrivals = _arrivals(ledger, name)
    if not arrivals:
        raise InputError(f"No document {name!r} ever arrived. `doc-assets list-documents` shows what did.")
    names = sorted({document.file_name for document in arrivals})
    current = [document for document in arrivals if document.is_current]
    return DocumentStory(
        arrivals[0].document_id,
        _with_what_is_kept(archive, arrivals),
        [photo for document in current for photo in photos_of(archive, document)],
        _groups(ledger, current),
        ledger.browsing.as_query(names, _MAX_MENTIONS),
        [mention for each in names for mention in ledger.browsing.as_match(each, _MAX_MENTIONS)],
    )


def _with_what_is_kept(archive: Archive, arrivals: Sequence[Document]) -> list[Arrival]:
    drops = archive.ledger.browsing.drops(sorted({document.drop_key for document in arrivals}))
    holding = archive.ledger.collections.holding
    return [Arrival(each, drops[each.drop_key], files_of(archive, each), holding(each.id)) for each in arrivals]


def _groups(ledger: Ledger, current: Sequence[Document]) -> list[GroupMember]:
    groups = ledger.groups.of_rows([document.id for document in current])
    return ledger.groups.members(set(groups.values()))


def _arrivals(ledger: Ledger, name: str) -> list[Document]:
    """By the name as it is, which may hold a dot, then by what a file of that name would be called."""
    return ledger.browsing.arrivals(called(name, lambda candidate: bool(ledger.browsing.arrivals(candidate))))
