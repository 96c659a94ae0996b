"""Whether ledger, staged documents, Parquet and collection agree, and what to do where they do not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from upath import UPath

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.integrity import check_bytes, check_points
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.tables import DAMAGED
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import IndexSchemaError, StoreUnavailableError
from doc_assets.features.embedders.base import Embedder
from doc_assets.sources.staging import staged_path
from doc_assets.util.digests import sha256_of
from doc_assets.util.files import LEFTOVER_PATTERN, is_local
from doc_assets.util.progress import track

_MAX_LISTED = 1000


@dataclass(slots=True)
class Findings:
    """What was looked at and what is wrong; at most a thousand faults are listed, all are counted."""

    documents: int = 0
    photos: int = 0
    vectors: int = 0
    points: int = 0
    faults: list[str] = field(default_factory=list)
    n_faults: int = 0

    def add(self, fault: str) -> None:
        """Notes one disagreement, in words that say what to do."""
        self.n_faults += 1
        if len(self.faults) < _MAX_LISTED:
            self.faults.append(fault)


def check_archive(
    archive: Archive,
    store: VectorStore,
    alias: str,
    versions: Versions,
    *,
    read_data: bool = False,
    embedder: Embedder | None = None,
) -> Findings:
    """Compares everything the ledger says of current documents with what is kept of them.

    Args:
        archive: the ledger and its files.
        store: an open vector store.
        alias: the alias that searches use.
        versions: whose vectors and features should be complete.
        read_data: whether every byte is read and compared, which finds flipped bits.
        embedder: embeds photos of tables without a digest again; None leaves that out.
    """
    findings = Findings()
    expected = {document.document_id: document for document in archive.ledger.documents.current()}
    findings.documents = len(expected)
    pending = archive.ledger.documents.counts().arrivals_by_state.get("pending", 0)
    if pending:
        findings.add(f"{pending} documents are sealed but not read; run ingest_drop_job for their drops.")
    if (broken := archive.ledger.audit.verify().broken) is not None:
        findings.add(f"Entry {broken} of the review desk's audit does not fit the one before it: it was changed.")
    _check_staged(archive, expected, findings, read_data=read_data)
    left_out = _left_out(archive, expected, versions)
    _check_tables(archive, expected, versions, left_out, findings)
    readable = _check_collection(store, alias, expected, left_out, findings)
    if read_data:
        check_bytes(archive, embedder, versions, findings.add, {str(document.sha256) for document in expected.values()})
        collection = store.resolve(alias)
        if readable and collection in store.collections():
            try:
                check_points(archive, store, str(collection), versions, findings.add)
            except StoreUnavailableError as error:
                findings.add(str(error))
    _check_leftovers(archive.bulk, findings)
    return findings


def _check_staged(archive: Archive, expected: dict[str, Document], findings: Findings, *, read_data: bool) -> None:
    for document in track(expected.values(), "staged documents", len(expected)):
        path = staged_path(archive.bulk, str(document.sha256))
        if not path.exists():
            findings.add(f"{document.file_name}: the staged copy {path} is gone; drop the document again.")
            continue
        suspicious = path.stat().st_size != document.size_bytes  # a file may grow between sealing and staging
        if (read_data or suspicious) and sha256_of(path.read_bytes()) != document.sha256:
            findings.add(f"{document.file_name}: the staged copy {path} was changed; drop the document again.")


LeftOut = dict[str, Counter[str]]
"""What a table lacks of each document because a photo could not be embedded or described; a fault in the ledger."""


def _left_out(archive: Archive, expected: dict[str, Document], versions: Versions) -> LeftOut:
    vectors = archive.ledger.faults.photos_left_out("photo_embeddings", versions.embedder_id)
    features = archive.ledger.faults.photos_left_out("local_features", versions.features_id)
    found: LeftOut = {"photos": Counter(), "vectors": Counter(), "local features": Counter(), "points": Counter()}
    for name, document in expected.items():
        no_vector, no_features = vectors.get(document.id, set()), features.get(document.id, set())
        found["vectors"][name], found["local features"][name] = len(no_vector), len(no_features)
        found["points"][name] = len(no_vector | no_features)
    return found


def _check_tables(
    archive: Archive, expected: dict[str, Document], versions: Versions, left_out: LeftOut, findings: Findings
) -> None:
    drops = archive.ledger.intake.drop_keys()
    rows: dict[str, Counter[str]] = {"photos": Counter(), "vectors": Counter(), "local features": Counter()}
    for drop_key in track(drops, "tables", len(drops)):
        for chunk in archive.chunks(drop_key):
            tables = {
                "photos": archive.photo_shard(chunk),
                "vectors": archive.embedding_shard(chunk, versions.embedder_id),
                "local features": archive.feature_shard(chunk, versions.features_id),
            }
            for what, path in tables.items():
                rows[what].update(_owners(path, what, expected, findings))
    findings.photos, findings.vectors = rows["photos"].total(), rows["vectors"].total()
    for document_id, document in expected.items():
        if document.n_photos is None:
            findings.add(f"{document.file_name}: its photos were never cut; run ingest_drop_job.")
            continue
        for what, counts in rows.items():
            if counts[document_id] != document.n_photos - left_out[what][document_id]:
                findings.add(
                    f"{document.file_name}: the ledger counts {document.n_photos} photos, Parquet holds "
                    f"{counts[document_id]} {what}; run ingest_drop_job for drop {document.drop_key}."
                )


def _owners(path: UPath, what: str, expected: dict[str, Document], findings: Findings) -> Iterator[str]:
    """The document of every row of a table, if it is one that should be there."""
    if not path.exists():
        return
    try:
        for payload in read_payloads(path):
            if _is_current(payload.document_id, payload.sha256, expected):
                yield payload.document_id
            else:
                findings.add(f"{path}: {what} of {payload.file_name} that is no longer current; run the re-index.")
    except DAMAGED as error:
        says = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        findings.add(f"{path}: cannot be read: {says}; delete it and run ingest_drop_job for drop {path.parent.name}.")


def _is_current(document_id: str, sha256: str, expected: dict[str, Document]) -> bool:
    document = expected.get(document_id)
    return document is not None and document.sha256 == sha256


def _check_collection(
    store: VectorStore, alias: str, expected: dict[str, Document], left_out: LeftOut, findings: Findings
) -> bool:
    """Whether it could be read."""
    collection = store.resolve(alias)
    if collection is None:
        if expected:
            findings.add(f"No collection is published as {alias!r}; run `doc-assets rebuild-index`.")
        return False
    if collection in store.collections() and (says := store.broken(collection)) is not None:
        findings.add(f"Collection {collection}: {says}; run `doc-assets rebuild-index`.")
        return False
    points: Counter[str] = Counter()
    try:
        for _, payload in store.scan(collection):
            if _is_current(payload.document_id, payload.sha256, expected):
                points[payload.document_id] += 1
            else:
                findings.add(f"Collection {collection}: a point of {payload.file_name} that is not in the ledger.")
    except (IndexSchemaError, StoreUnavailableError) as error:
        findings.add(str(error))
        return False
    findings.points = points.total()
    for document_id, document in expected.items():
        if points[document_id] != (document.n_photos or 0) - left_out["points"][document_id]:
            findings.add(
                f"{document.file_name}: {document.n_photos} photos, {points[document_id]} points in {collection}; "
                f"run ingest_drop_job for drop {document.drop_key}."
            )
    return True


def _check_leftovers(bulk: UPath, findings: Findings) -> None:
    if is_local(bulk):
        for path in Path(str(bulk)).glob(f"*/**/{LEFTOVER_PATTERN}"):
            findings.add(f"{path}: left behind by a killed writer; delete it.")
