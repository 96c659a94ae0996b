"""Every byte that is kept of documents, read again: flipped bits are found, wherever they are.

Staged copies are named by their digest and tables carry one. Tables that were written before they did are read to their
last row, their photos are decoded and embedded again, and what comes out is compared with the stored vectors.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from upath import UPath

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.points import points_of
from doc_assets.archive.shards import StoredPhoto, read_embeddings, read_photos
from doc_assets.archive.tables import DAMAGED, is_intact, read_provenance, read_rows
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import IndexedPhoto
from doc_assets.features.embedders.base import Embedder
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.sources.staging import STAGED_PATTERN
from doc_assets.util.files import sha256_of
from doc_assets.util.progress import track

TABLE_FOLDERS = ("photos", "embeddings", "local_features", "page_text")
_SAME_PHOTO = 0.995
"""Cosine of a photo embedded again and its stored vector; what differs is the machine's arithmetic."""
_SAME_NUMBER = 1e-5
_AT_ONCE = 512
_REMADE = "delete the file and run ingest_drop_job for drop {drop}"


Report = Callable[[str], None]
"""Takes a disagreement, in words that say what to do."""


def check_bytes(
    archive: Archive, embedder: Embedder | None, versions: Versions, report: Report, seen: Collection[str]
) -> None:
    """Reads every staged copy but those of the digests that were ``seen`` already, and every table."""
    _check_copies(archive.bulk, report, seen)
    for folder in TABLE_FOLDERS:
        root = archive.bulk / folder
        paths = sorted(root.rglob("*.parquet"), key=str) if root.exists() else []
        for path in track(paths, f"bytes of {folder}", len(paths)):
            _check_table(archive, path, folder, embedder, versions, report)


def _check_copies(bulk: UPath, report: Report, seen: Collection[str]) -> None:
    root = bulk / "documents"
    paths = sorted(root.glob(STAGED_PATTERN), key=str) if root.exists() else []
    paths = [path for path in paths if path.stem not in seen]
    for path in track(paths, "bytes of staged documents", len(paths)):
        try:
            found = sha256_of(path.read_bytes())
        except OSError as error:
            report(f"{path}: cannot be read: {error.strerror or error}.")
            continue
        if found != path.stem:
            report(f"{path}: its bytes changed, they have SHA-256 {found}; drop the document again.")


def _check_table(
    archive: Archive, path: UPath, folder: str, embedder: Embedder | None, versions: Versions, report: Report
) -> None:
    remedy = _REMADE.format(drop=path.parent.name)
    try:
        intact = is_intact(path)
        if intact is None:
            intact = _reads_to_its_end(path)
            if folder == "photos" and intact:
                _check_photos(archive, path, embedder, versions, report)
    except DAMAGED as error:
        report(f"{path}: cannot be read: {str(error).splitlines()[0][:200]}; {remedy}.")
        return
    if not intact:
        report(f"{path}: its bytes changed since it was written; {remedy}.")


def _reads_to_its_end(path: UPath) -> bool:
    for _ in read_rows(path):
        pass
    return read_provenance(path) is not None


def _check_photos(archive: Archive, path: UPath, embedder: Embedder | None, versions: Versions, report: Report) -> None:
    """Decodes every photo of a table without a digest, and compares it with its stored vector."""
    vectors = archive.bulk / "embeddings" / versions.embedder_id / path.parent.name / path.name
    known = {row.payload.key: row.vector for row in read_embeddings(vectors)} if vectors.exists() else {}
    photos = iter(read_photos(path))
    while part := list(islice(photos, 64)):
        sound = list(_decoded(part, path, report))
        compared = [(photo, pixels) for photo, pixels in sound if photo.payload.key in known]
        if embedder is None or not compared:
            continue
        made = embedder.embed(pixels for _, pixels in compared)
        for (photo, _), vector in zip(compared, made, strict=True):
            if float(vector @ known[photo.payload.key]) < _SAME_PHOTO:
                report(
                    f"{path}: photo {photo.payload.key} no longer looks as it did when its vector was made; "
                    f"{_REMADE.format(drop=path.parent.name)}."
                )


def _decoded(photos: list[StoredPhoto], path: UPath, report: Report) -> Iterator[tuple[StoredPhoto, np.ndarray]]:
    for photo in photos:
        try:
            yield photo, decode_jpeg(photo.jpeg)
        except Exception as error:  # noqa: BLE001 - decoders have errors of their own
            report(f"{path}: photo {photo.payload.key} cannot be decoded: {error}.")


def check_points(archive: Archive, store: VectorStore, collection: str, versions: Versions, report: Report) -> None:
    """Compares every point of the collection in use with the tables that it was made from."""
    if collection != versions.collection:
        return
    for drop_key in archive.ledger.intake.drop_keys():
        for chunk in archive.chunks(drop_key):
            try:
                documents = archive.current(chunk)
                current = {document.document_id: document.sha256 for document in documents}
                wanted = [
                    point
                    for point in points_of(archive, chunk, versions, documents)
                    if current.get(point.payload.document_id) == point.payload.sha256
                ]
            except DAMAGED:
                continue  # missing or damaged, and told as such
            for start in range(0, len(wanted), _AT_ONCE):
                _compare(store, collection, wanted[start : start + _AT_ONCE], report)


def _compare(store: VectorStore, collection: str, wanted: list[IndexedPhoto], report: Report) -> None:
    found = store.points_with_ids(collection, [point.point_id for point in wanted])
    for point in wanted:
        stored = found.get(point.point_id)
        if stored is not None and not _is_same(stored, point):
            report(
                f"Collection {collection}: the point of {point.payload.key} is not what Parquet holds; run "
                "`doc-assets rebuild-index`."
            )


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
