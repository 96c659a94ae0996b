"""The archive: the ledger and the folder tree beside it."""

from collections.abc import Iterator
from dataclasses import dataclass

from upath import UPath

from doc_assets.errors import SetupError
from doc_assets.ledger.documents import Document
from doc_assets.ledger.ledger import Ledger
from doc_assets.tables import Stamp


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
        bulk: root of staged documents, photos and embeddings; a local folder or any fsspec path.
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

    def embedder_ids(self) -> Iterator[str]:
        """Embedders whose vectors are kept."""
        root = self.bulk / "embeddings"
        if root.exists():
            yield from sorted(path.name for path in root.iterdir() if path.is_dir())


def stamp(made_with: str, documents: list[Document]) -> Stamp:
    """The stamp of a table about these documents."""
    return Stamp.of(made_with, ((document.document_id, str(document.sha256)) for document in documents))


def embeddings_made_with(embedder_id: str, photos_version: str) -> str:
    """Version of embeddings: other photos or another embedder make other vectors."""
    return f"{embedder_id}|{photos_version}"
