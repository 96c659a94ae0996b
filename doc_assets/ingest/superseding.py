"""Takes documents out of older drops' tables when a newer version has replaced them.

Points need no such step: a document's points are replaced as a whole when its new version is indexed.
"""

from upath import UPath

from doc_assets.ingest.archive import Archive, Chunk, stamp
from doc_assets.ledger.rows import Document
from doc_assets.tables import keep_rows, read_stamp


def remove_superseded(archive: Archive, chunk: Chunk) -> None:
    """Rewrites tables of earlier chunks that hold older versions of this chunk's documents.

    What to rewrite follows from the ledger and the tables' stamps alone, so a killed run loses nothing.
    """
    for positions_of_older in archive.ledger.documents.chunks_superseded_by(chunk.drop_key, chunk.positions):
        prune_chunk(archive, Chunk(*positions_of_older))


def prune_chunk(archive: Archive, chunk: Chunk) -> None:
    """Rewrites a chunk's tables without the documents that are no longer current; a table without any stays, empty.

    Their stamps are those of the documents left, so nothing of these is made again.
    """
    kept = archive.current(chunk)
    _prune(archive.photo_shard(chunk), kept)
    for shard in archive.derived_shards(chunk):
        _prune(shard, kept)


def _prune(path: UPath, kept: list[Document]) -> None:
    found = read_stamp(path)
    if found is None:
        return
    wanted = stamp(found.made_with, kept)
    if found == wanted:
        return
    keep_rows(path, wanted, {(document.document_id, str(document.sha256)) for document in kept})
