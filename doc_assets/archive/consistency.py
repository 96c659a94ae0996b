"""Whether ledger, staged documents, Parquet and collection agree, and what to do where they do not.

Every byte that is kept of documents can be read again, which finds flipped bits wherever they are. Staged copies are
named by their digest and tables carry one. Tables that were written before they did are read to their last row, their
photos are decoded and embedded again, and what comes out is compared with the stored vectors.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from upath import UPath

from doc_assets.archive.archive import Archive, Versions, points_of
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.shards import StoredPhoto, read_embeddings, read_photos
from doc_assets.archive.tables import DAMAGED, is_intact, read_provenance, read_rows
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import IndexedPhoto, PhotoKey, PhotoPayload, RgbImage
from doc_assets.errors import IndexSchemaError, StoreUnavailableError
from doc_assets.features.embedders.base import Embedder
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.sources.staging import STAGED_PATTERN, staged_path
from doc_assets.util.files import LEFTOVER_PATTERN, is_local, sha256_of
from doc_assets.util.progress import track

_MAX_LISTED = 1000
_TABLE_FOLDERS = ("photos", "embeddings", "local_features", "page_text")
_SAME_PHOTO = 0.995
"""Cosine of a photo embedded again and its stored vector; what differs is the machine's arithmetic."""
_SAME_NUMBER = 1e-5
_AT_ONCE = 512
_REMADE = "delete the file and run ingest_drop_job for drop {drop}"


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
    expected = {document.document_id: document for document in archive.ledger.documents.current()}
    findings = Findings(documents=len(expected))
    pending = archive.ledger.documents.counts().arrivals_by_state.get("pending", 0)
    if pending:
        findings.add(f"{pending} documents are sealed but not read; run ingest_drop_job for their drops.")
    if (broken := archive.ledger.audit.verify().broken) is not None:
        findings.add(f"Entry {broken} of the review desk's audit does not fit the one before it: it was changed.")
    rows = _Rows(archive, versions, expected, findings)
    rows.check_staged(read_data=read_data)
    rows.check_tables()
    collection = store.resolve(alias)
    readable = rows.check_collection(store, alias, collection)
    if read_data:
        content = _Bytes(archive, versions, embedder, findings)
        content.check_copies({str(document.sha256) for document in expected.values()})
        content.check_tables()
        if readable and collection == versions.collection:
            try:
                content.check_points(store)
            except StoreUnavailableError as error:
                findings.add(str(error))
    if is_local(archive.bulk):
        for path in Path(str(archive.bulk)).glob(f"*/**/{LEFTOVER_PATTERN}"):
            findings.add(f"{path}: left behind by a killed writer; delete it.")
    return findings


class _Rows:
    """Whether everything that the ledger expects is there, and nothing else."""

    def __init__(self, archive: Archive, versions: Versions, expected: dict[str, Document], findings: Findings) -> None:
        self._archive, self._versions, self._expected, self._findings = archive, versions, expected, findings
        faults = archive.ledger.faults
        vectors = faults.photos_left_out("photo_embeddings", versions.embedder_id)
        features = faults.photos_left_out("local_features", versions.features_id)
        # What a table lacks of each document because a photo could not be embedded or described; a fault in the ledger.
        self._lacking: dict[str, Counter[str]] = defaultdict(Counter)
        for name, document in expected.items():
            no_vector, no_features = vectors.get(document.id, set()), features.get(document.id, set())
            self._lacking["vectors"][name] = len(no_vector)
            self._lacking["local features"][name] = len(no_features)
            self._lacking["points"][name] = len(no_vector | no_features)

    def check_staged(self, *, read_data: bool) -> None:
        for document in track(self._expected.values(), "staged documents", len(self._expected)):
            path = staged_path(self._archive.bulk, str(document.sha256))
            if not path.exists():
                self._findings.add(f"{document.file_name}: the staged copy {path} is gone; drop the document again.")
                continue
            suspicious = path.stat().st_size != document.size_bytes  # a file may grow between sealing and staging
            if (read_data or suspicious) and sha256_of(path.read_bytes()) != document.sha256:
                self._findings.add(
                    f"{document.file_name}: the staged copy {path} was changed; drop the document again."
                )

    def check_tables(self) -> None:
        archive, findings = self._archive, self._findings
        drops = archive.ledger.intake.drop_keys()
        rows: dict[str, Counter[str]] = {"photos": Counter(), "vectors": Counter(), "local features": Counter()}
        for drop_key in track(drops, "tables", len(drops)):
            for chunk in archive.chunks(drop_key):
                rows["photos"].update(self._owners(archive.photo_shard(chunk), "photos"))
                vectors = archive.embedding_shard(chunk, self._versions.embedder_id)
                rows["vectors"].update(self._owners(vectors, "vectors"))
                features = archive.feature_shard(chunk, self._versions.features_id)
                rows["local features"].update(self._owners(features, "local features"))
        findings.photos, findings.vectors = rows["photos"].total(), rows["vectors"].total()
        for document_id, document in self._expected.items():
            if document.n_photos is None:
                findings.add(f"{document.file_name}: its photos were never cut; run ingest_drop_job.")
                continue
            for what, counts in rows.items():
                if counts[document_id] != document.n_photos - self._lacking[what][document_id]:
                    findings.add(
                        f"{document.file_name}: the ledger counts {document.n_photos} photos, Parquet holds "
                        f"{counts[document_id]} {what}; run ingest_drop_job for drop {document.drop_key}."
                    )

    def _owners(self, path: UPath, what: str) -> Iterator[str]:
        """The document of every row of a table, if it is one that should be there."""
        if not path.exists():
            return
        try:
            for payload in read_payloads(path):
                if self._is_current(payload):
                    yield payload.document_id
                else:
                    says = f"{what} of {payload.file_name} that is no longer current; run the re-index."
                    self._findings.add(f"{path}: {says}")
        except DAMAGED as error:
            remedy = f"delete it and run ingest_drop_job for drop {path.parent.name}"
            self._findings.add(f"{path}: cannot be read: {_first_line(error)}; {remedy}.")

    def _is_current(self, payload: PhotoPayload) -> bool:
        document = self._expected.get(payload.document_id)
        return document is not None and document.sha256 == payload.sha256

    def check_collection(self, store: VectorStore, alias: str, collection: str | None) -> bool:
        """Whether it could be read."""
        findings = self._findings
        if collection is None:
            if self._expected:
                findings.add(f"No collection is published as {alias!r}; run `doc-assets rebuild-index`.")
            return False
        if collection in store.collections() and (says := store.broken(collection)) is not None:
            findings.add(f"Collection {collection}: {says}; run `doc-assets rebuild-index`.")
            return False
        points: Counter[str] = Counter()
        try:
            for _, payload in store.scan(collection):
                if self._is_current(payload):
                    points[payload.document_id] += 1
                else:
                    findings.add(f"Collection {collection}: a point of {payload.file_name} that is not in the ledger.")
        except (IndexSchemaError, StoreUnavailableError) as error:
            findings.add(str(error))
            return False
        findings.points = points.total()
        for name, document in self._expected.items():
            if points[name] != (document.n_photos or 0) - self._lacking["points"][name]:
                findings.add(
                    f"{document.file_name}: {document.n_photos} photos, {points[name]} points in {collection}; "
                    f"run ingest_drop_job for drop {document.drop_key}."
                )
        return True


@dataclass(frozen=True, slots=True)
class _Bytes:
    """Whether every byte that is kept is as it was written."""

    archive: Archive
    versions: Versions
    embedder: Embedder | None
    findings: Findings

    def check_copies(self, seen: Collection[str]) -> None:
        """Reads every staged copy but those of the digests that were ``seen`` already."""
        root = self.archive.bulk / "documents"
        paths = sorted(root.glob(STAGED_PATTERN), key=str) if root.exists() else []
        paths = [path for path in paths if path.stem not in seen]
        for path in track(paths, "bytes of staged documents", len(paths)):
            try:
                found = sha256_of(path.read_bytes())
            except OSError as error:
                self.findings.add(f"{path}: cannot be read: {error.strerror or error}.")
                continue
            if found != path.stem:
                self.findings.add(f"{path}: its bytes changed, they have SHA-256 {found}; drop the document again.")

    def check_tables(self) -> None:
        for folder in _TABLE_FOLDERS:
            root = self.archive.bulk / folder
            paths = sorted(root.rglob("*.parquet"), key=str) if root.exists() else []
            for path in track(paths, f"bytes of {folder}", len(paths)):
                fault = self._fault_of(path, has_photos=folder == "photos")
                if fault is not None:
                    self.findings.add(f"{path}: {fault}; {_REMADE.format(drop=path.parent.name)}.")

    def _fault_of(self, path: UPath, *, has_photos: bool) -> str | None:
        try:
            intact = is_intact(path)
            if intact is None:
                intact = _reads_to_its_end(path)
                if has_photos and intact:
                    self._check_photos(path)
        except DAMAGED as error:
            return f"cannot be read: {_first_line(error)}"
        return None if intact else "its bytes changed since it was written"

    def _check_photos(self, path: UPath) -> None:
        """Decodes every photo of a table without a digest, and compares it with its stored vector."""
        vectors = self.archive.bulk / "embeddings" / self.versions.embedder_id / path.parent.name / path.name
        known = {row.payload.key: row.vector for row in read_embeddings(vectors)} if vectors.exists() else {}
        photos = iter(read_photos(path))
        while part := list(islice(photos, 64)):
            compared = [(key, pixels) for key, pixels in self._decoded(part, path) if key in known]
            if self.embedder is None or not compared:
                continue
            made = self.embedder.embed(pixels for _, pixels in compared)
            for (key, _), vector in zip(compared, made, strict=True):
                if float(vector @ known[key]) < _SAME_PHOTO:
                    self.findings.add(
                        f"{path}: photo {key} no longer looks as it did when its vector was made; "
                        f"{_REMADE.format(drop=path.parent.name)}."
                    )

    def _decoded(self, photos: list[StoredPhoto], path: UPath) -> Iterator[tuple[PhotoKey, RgbImage]]:
        for photo in photos:
            try:
                yield photo.payload.key, decode_jpeg(photo.jpeg)
            except Exception as error:  # noqa: BLE001 - decoders have errors of their own
                self.findings.add(f"{path}: photo {photo.payload.key} cannot be decoded: {error}.")

    def check_points(self, store: VectorStore) -> None:
        """Compares every point of the collection in use with the tables that it was made from."""
        for drop_key in self.archive.ledger.intake.drop_keys():
            for chunk in self.archive.chunks(drop_key):
                try:
                    documents = self.archive.current(chunk)
                    current = {(document.document_id, document.sha256) for document in documents}
                    made = points_of(self.archive, chunk, self.versions, documents)
                    wanted = [each for each in made if (each.payload.document_id, each.payload.sha256) in current]
                except DAMAGED:
                    continue  # missing or damaged, and told as such
                for start in range(0, len(wanted), _AT_ONCE):
                    self._compare(store, wanted[start : start + _AT_ONCE])

    def _compare(self, store: VectorStore, wanted: list[IndexedPhoto]) -> None:
        collection = self.versions.collection
        found = store.points_with_ids(collection, [point.point_id for point in wanted])
        for point in wanted:
            stored = found.get(point.point_id)
            if stored is not None and not _is_same(stored, point):
                self.findings.add(
                    f"Collection {collection}: the point of {point.payload.key} is not what Parquet holds; run "
                    "`doc-assets rebuild-index`."
                )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _reads_to_its_end(path: UPath) -> bool:
    for _ in read_rows(path):
        pass
    return read_provenance(path) is not None


def _is_same(stored: IndexedPhoto, wanted: IndexedPhoto) -> bool:
    order, asked = np.argsort(stored.words.indices), np.argsort(wanted.words.indices)
    # What a key table says may have become known since the point was written.
    payload = replace(stored.payload, merchant_id=wanted.payload.merchant_id, date=wanted.payload.date)
    return (
        payload == wanted.payload
        and stored.vector.shape == wanted.vector.shape
        and bool(np.all(np.abs(stored.vector - wanted.vector) <= _SAME_NUMBER))  # False for NaN too
        and np.array_equal(stored.words.indices[order], wanted.words.indices[asked])
        and np.allclose(stored.words.values[order], wanted.words.values[asked], atol=_SAME_NUMBER)
    )
