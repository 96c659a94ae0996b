"""Takes documents out of older drops' tables when a newer version has replaced them.

Points need no such step: a document's points are replaced as a whole when its new version is indexed.
"""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, provenance
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.tables import column_names, keep_rows, read_provenance, read_rows
from doc_assets.errors import SetupError

Result = TypeVar("Result")


def remove_superseded(archive: Archive, chunk: Chunk) -> None:
    """Rewrites tables of earlier chunks that hold older versions of this chunk's documents.

    What to rewrite follows from the ledger and the provenance of the tables alone, so a killed run loses nothing.
    """
    for positions_of_older in archive.ledger.documents.chunks_superseded_by(chunk.drop_key, chunk.positions):
        prune_chunk(archive, Chunk(*positions_of_older))


def prune_chunk(archive: Archive, chunk: Chunk) -> None:
    """Rewrites a chunk's tables without the documents that are no longer current; a table without any stays, empty.

    Their provenance is that of the documents left, so nothing of these is made again. Another run may replace
    documents of the chunk and prune it at the same time; whoever is last has seen all.
    """
    kept: list[Document] | None = None
    while kept is None or _ids(kept) != _ids(archive.current(chunk)):
        kept = archive.current(chunk)
        for shard in (archive.photo_shard(chunk), *archive.derived_shards(chunk)):
            _prune(archive, shard, kept)


def with_current(archive: Archive, chunk: Chunk, work: Callable[[list[Document]], Result]) -> Result:
    """Does a step's work on the documents of a chunk that are current, and again if that changed meanwhile.

    Another run may read newer versions of the chunk's documents at any moment. What the work then made, or failed by,
    is of yesterday; each document can be replaced but once by an arrival, so this ends.
    """
    while True:
        prune_chunk(archive, chunk)
        documents = archive.current(chunk)
        try:
            done = work(documents)
        except (SetupError, KeyError, FileNotFoundError):
            if _ids(archive.current(chunk)) == _ids(documents):
                raise
            continue
        if _ids(archive.current(chunk)) == _ids(documents):
            return done


def _ids(documents: list[Document]) -> list[int]:
    return [document.id for document in documents]


def _holds_all(archive: Archive, path: UPath, kept: list[Document]) -> bool:
    """Whether a table was made from all of these documents: one that was read only now is in none and must be made."""
    if any(document.n_photos is None for document in kept):
        return False
    if not {"photo_index", "sha256"} <= set(column_names(path)):  # of pages, and written before that of photos
        return True
    rows = Counter((row["document_id"], row["sha256"]) for row in read_rows(path, ["document_id", "sha256"], 1024))
    lacking = archive.ledger.faults.photos_lacking([document.id for document in kept])
    return all(
        document.n_photos - lacking.get(document.id, 0)
        <= rows[document.document_id, str(document.sha256)]
        <= document.n_photos
        for document in kept
        if document.n_photos is not None
    )


def _prune(archive: Archive, path: UPath, kept: list[Document]) -> None:
    found = read_provenance(path)
    if found is None:
        return
    wanted = provenance(found.made_with, kept)
    if found == wanted or not _holds_all(archive, path, kept):
        return
    keep_rows(path, wanted, {(document.document_id, str(document.sha256)) for document in kept})
