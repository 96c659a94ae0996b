"""Where everything that is kept of a document lies."""

from dataclasses import dataclass

from doc_assets.archive.archive import Archive, chunk_of
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_payloads
from doc_assets.sources.staging import staged_path


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
