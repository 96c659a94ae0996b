"""The archive: the ledger and the folder tree beside it, and the points of the vector store made from both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from upath import UPath

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.shards import read_embeddings, read_words
from doc_assets.archive.tables import Provenance, read_provenance
from doc_assets.archive.vectors.base import collection_name
from doc_assets.datatypes import IndexedPhoto, point_id
from doc_assets.errors import SetupError


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents of a drop that are committed together."""

    drop_key: str
    positions: range

    @property
    def name(self) -> str:
        """File name of the chunk's tables."""
        return f"{self.positions.start:06d}.parquet"


@dataclass(frozen=True, slots=True)
class Archive:
    """Where everything about ingested documents is kept.

    Attributes:
        ledger: what became of every document.
        bulk: root of staged documents, photos, embeddings and local features; a local folder or any fsspec path.
    """

    ledger: Ledger
    bulk: UPath

    def chunks(self, drop_key: str) -> list[Chunk]:
        """The drop's chunks in order.

        Raises:
            SetupError: if the ledger knows no such drop.
        """
        try:
            ranges = self.ledger.documents.chunks(drop_key)
        except KeyError as error:
            raise SetupError(
                f"The ledger knows no drop {drop_key!r}; was this partition sealed in another home? "
                "`doc-assets status` shows the home in use."
            ) from error
        return [Chunk(drop_key, positions) for positions in ranges]

    def current(self, chunk: Chunk) -> list[Document]:
        """The chunk's documents that belong to the archive now."""
        return self.ledger.documents.of_chunk(chunk.drop_key, chunk.positions, current_only=True)

    def photo_shard(self, chunk: Chunk) -> UPath:
        """Where the chunk's photos are."""
        return self.bulk / "photos" / chunk.drop_key / chunk.name

    def embedding_shard(self, chunk: Chunk, embedder_id: str) -> UPath:
        """Where the chunk's vectors by that embedder are."""
        return self.bulk / "embeddings" / embedder_id / chunk.drop_key / chunk.name

    def feature_shard(self, chunk: Chunk, features_id: str) -> UPath:
        """Where the chunk's local features of that kind are."""
        return self.bulk / "local_features" / features_id / chunk.drop_key / chunk.name

    def page_text_shard(self, chunk: Chunk, engine_id: str) -> UPath:
        """Where the text that was read on the chunk's pages is."""
        return self.bulk / "page_text" / engine_id / chunk.drop_key / chunk.name

    def derived_shards(self, chunk: Chunk) -> Iterator[UPath]:
        """Every table made from the chunk beside its photos, of whatever embedder, kind of features and text engine."""
        for stage in ("embeddings", "local_features", "page_text"):
            root = self.bulk / stage
            if root.exists():
                for folder in sorted(root.iterdir(), key=lambda path: path.name):
                    yield folder / chunk.drop_key / chunk.name


def chunk_of(document: Document, chunks: Sequence[Chunk]) -> Chunk:
    """The one of its drop's chunks that holds a document."""
    return chunks[document.position // len(chunks[0].positions)]


def provenance(made_with: str, documents: list[Document]) -> Provenance:
    """The provenance of a table about these documents."""
    return Provenance.of(made_with, ((document.document_id, str(document.sha256)) for document in documents))


def made_with(made_by: str, photos_version: str) -> str:
    """Version of what is made from photos: other photos or another method make something else."""
    return f"{made_by}|{photos_version}"


@dataclass(frozen=True, slots=True)
class Versions:
    """What everything in a collection is made with.

    Attributes:
        photos: version of the photos.
        embedder_id: of the vectors.
        features_id: of the local features and words.
    """

    photos: str
    embedder_id: str
    features_id: str

    @property
    def embeddings(self) -> str:
        """Version of the vectors."""
        return made_with(self.embedder_id, self.photos)

    @property
    def features(self) -> str:
        """Version of the local features."""
        return made_with(self.features_id, self.photos)

    @property
    def points(self) -> str:
        """Version of what is indexed."""
        return f"{self.embedder_id}|{self.features_id}|{self.photos}"

    @property
    def collection(self) -> str:
        """The collection that they fill."""
        return collection_name(self.embedder_id, self.features_id)


def require_photos(archive: Archive, chunk: Chunk, documents: list[Document], photos_version: str) -> None:
    """Refuses to go on from photos that are missing or stale.

    Raises:
        SetupError: if they are.
    """
    found = read_provenance(archive.photo_shard(chunk))
    if found != provenance(photos_version, documents):
        raise SetupError(
            f"The photos of drop {chunk.drop_key} (chunk {chunk.positions.start}) are missing or were cut with "
            "other settings or from other versions of its documents. Materialize photos of this drop first."
        )


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
