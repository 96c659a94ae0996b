"""Points of the vector store, made from the tables of a chunk and what the ledger knows of its documents."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from doc_assets.archive.archive import Archive, Chunk, Versions
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.shards import read_embeddings, read_words
from doc_assets.datatypes import IndexedPhoto, point_id


def points_of(
    archive: Archive, chunk: Chunk, versions: Versions, documents: Sequence[Document]
) -> Iterator[IndexedPhoto]:
    """The chunk's photos as points, with what the ledger knows of their documents by now.

    A photo without a vector or without words is none; it is a fault of the stage that left it out.
    """
    known = {document.document_id: document for document in documents}
    described = read_words(archive.feature_shard(chunk, versions.features_id))
    words = {payload.key: bag for payload, bag in described}
    for row in read_embeddings(archive.embedding_shard(chunk, versions.embedder_id)):
        key = row.payload.key
        if key not in words:
            continue
        document = known[key.document_id]
        payload = replace(row.payload, merchant_id=document.merchant_id, date=document.date)
        yield IndexedPhoto(point_id(key, versions.embedder_id), row.vector, words[key], payload)
