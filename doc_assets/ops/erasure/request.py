"""What is to be forgotten, written down before anything is removed, so that a killed run can be ended.

The file names the document; it lies in the home, readable by its owner only, until the proof found no trace.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, chunk_of
from doc_assets.archive.ledger.removal import DocumentRemoval
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.shards import StoredPhoto, read_photos
from doc_assets.errors import UnknownDocumentError
from doc_assets.ops.erasure.identifiers import Identifiers, fingerprints_of
from doc_assets.reports.safe_names import result_stem, safe_stem
from doc_assets.sources.key_names import NameRule, normalised
from doc_assets.sources.names import called, display_name, document_id, real_path
from doc_assets.sources.origin import is_remote
from doc_assets.sources.staging import staged_path
from doc_assets.util.files import write_atomic

FOLDER_NAME = "forgetting"
_OWNER_ONLY = 0o700


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """Documents to forget, and everything by which they are found.

    Attributes:
        key: names the request; says nothing about the documents.
        document_ids: the documents.
        arrivals, photos: how many files and photos of them there are.
        words: names, paths and digests of theirs.
        pieces: fingerprints of their files and photos, as hex digits.
        others: names of other documents in which one of ``words`` stands.
        digests: of contents that no other document has, by document.
        chunks: of the archive that hold them: drop, first and last position.
        paths: where their files came from.
        inbox_paths: of theirs that are noted in the drop folder.
        searches: that name them.
        keys: that a key table may name them by.
    """

    key: str
    document_ids: list[str]
    arrivals: int
    photos: int
    words: list[str]
    pieces: list[str]
    others: list[str]
    digests: dict[str, list[str]]
    chunks: list[tuple[str, int, int]]
    paths: list[str]
    inbox_paths: list[str]
    searches: list[str]
    keys: list[str]

    @property
    def identifiers(self) -> Identifiers:
        """What must be found nowhere in the end."""
        return Identifiers(tuple(self.words), tuple(map(bytes.fromhex, self.pieces)), tuple(self.others))

    @property
    def all_digests(self) -> list[str]:
        """Of contents that no other document has."""
        return sorted({digest for digests in self.digests.values() for digest in digests})

    def originals(self) -> list[Path]:
        """Files it came from that are still there."""
        paths = (real_path(origin) for origin in self.paths if not is_remote(origin))
        return [path for path in paths if path.is_file()]

    def save(self, home: Path) -> None:
        """Writes it down."""
        path = _file(home, self.key)
        path.parent.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        write_atomic(UPath(path), json.dumps(asdict(self)).encode("ascii"))

    def discard(self, home: Path) -> None:
        """Removes the file: the last trace."""
        _file(home, self.key).unlink(missing_ok=True)

    @classmethod
    def open_requests(cls, home: Path) -> list[Self]:
        """Requests that were not ended, oldest first."""
        files = sorted((home / FOLDER_NAME).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [cls._read(path) for path in files]

    @classmethod
    def _read(cls, path: Path) -> Self:
        stored = json.loads(path.read_text(encoding="ascii"))
        return cls(**{**stored, "chunks": [tuple(chunk) for chunk in stored["chunks"]]})


def meant(archive: Archive, names: Iterable[str]) -> list[str]:
    """The ids of the documents that these names, each an id or a file name, stand for.

    Raises:
        UnknownDocumentError: if a name is the id of one document and the file name of another: what is forgotten does
            not come back.
    """
    removal = DocumentRemoval(archive.ledger.database)
    waiting = set(map(_id_of_file, removal.inbox_paths()))

    def is_known(name: str) -> bool:
        return name in waiting or bool(archive.ledger.documents.arrivals([name])) or archive.ledger.searches.knows(name)

    ids = set()
    for name in names:
        stem = document_id(name)
        if stem != name and is_known(name) and is_known(stem):
            raise UnknownDocumentError(
                f"{name} is the id of one document and the file name of another, whose id is {stem}. Name the first by "
                f"its file name, the second by its id; nothing was forgotten."
            )
        ids.add(called(name, is_known))
    return sorted(ids)


def plan_request(archive: Archive, names: Iterable[str], naming: NameRule | None = None) -> ForgetRequest:
    """A request to forget documents by their ids (see ``meant``); changes nothing.

    ``naming`` says how keys of key tables name files.

    Raises:
        UnknownDocumentError: if nothing is known of one of them.
    """
    ids = sorted(set(names))
    removal = DocumentRemoval(archive.ledger.database)
    arrivals = archive.ledger.documents.arrivals(ids)
    inbox = [path for path in removal.inbox_paths() if _id_of_file(path) in ids]
    _require_known(archive, ids, {*(each.document_id for each in arrivals), *map(_id_of_file, inbox)})
    digests = _own_digests(removal, ids, arrivals)
    own = set().union(*digests.values())
    identifiers = _names(ids, arrivals, inbox, own)
    chunks = sorted(
        {chunk_of(document, archive.chunks(document.drop_key)) for document in arrivals},
        key=lambda chunk: (chunk.drop_key, chunk.positions.start),
    )
    photos = [photo for chunk in chunks for photo in _photos_of(archive, chunk, ids)]
    pieces = [bytes.fromhex(digest) for digest in own]
    pieces += [piece for content in _contents(archive, own, photos) for piece in fingerprints_of(content)]
    return ForgetRequest(
        key=secrets.token_hex(8),
        document_ids=ids,
        arrivals=len(arrivals),
        photos=len(photos),
        words=identifiers,
        pieces=sorted({piece.hex() for piece in pieces}),
        others=sorted(removal.others_containing(identifiers, ids) - set(identifiers)),
        digests=digests,
        chunks=[(chunk.drop_key, chunk.positions.start, chunk.positions.stop) for chunk in chunks],
        paths=sorted({*(document.source_path for document in arrivals), *inbox}),
        inbox_paths=inbox,
        searches=archive.ledger.searches.naming(ids),
        keys=sorted({key for name in ids for key in (naming or NameRule()).keys_of(name)}),
    )


def _require_known(archive: Archive, ids: Sequence[str], known: Set[str]) -> None:
    unknown = [name for name in ids if name not in known and not archive.ledger.searches.naming([name])]
    if unknown:
        raise UnknownDocumentError(
            f"Nothing is known of {', '.join(unknown)}: no file of that name arrived and no search names it. "
            "A document's id is its file name without its ending; nothing was forgotten."
        )


def _own_digests(removal: DocumentRemoval, ids: Sequence[str], arrivals: Sequence[Document]) -> dict[str, list[str]]:
    """Digests of contents that no other document has, by document."""
    digests: dict[str, set[str]] = {name: set() for name in ids}
    for document in arrivals:
        if document.sha256 is not None:
            digests[document.document_id].add(document.sha256)
    shared = removal.shared_contents(set().union(*digests.values()), ids)
    return {name: sorted(found - shared) for name, found in digests.items()}


def _names(ids: Sequence[str], arrivals: Sequence[Document], inbox: Sequence[str], digests: Iterable[str]) -> list[str]:
    """Names, paths and digests of the documents, and what files of theirs are called."""
    names = {document.file_name for document in arrivals}
    names |= {display_name(real_path(path).name) for path in inbox}
    paths = {document.source_path for document in arrivals} | set(inbox)
    files = {*map(safe_stem, ids), *map(result_stem, names)}
    return sorted({*ids, *names, *paths, *digests, *files, *map(normalised, ids)})


def _photos_of(archive: Archive, chunk: Chunk, ids: Sequence[str]) -> Iterator[StoredPhoto]:
    shard = archive.photo_shard(chunk)
    for photo in read_photos(shard) if shard.exists() else ():
        if photo.payload.document_id in ids:
            yield photo


def _contents(archive: Archive, digests: Set[str], photos: Iterable[StoredPhoto]) -> Iterator[bytes]:
    """Staged files and photos of contents that no other document has."""
    for staged in (staged_path(archive.bulk, digest) for digest in sorted(digests)):
        if staged.exists():
            yield staged.read_bytes()
    yield from (photo.jpeg for photo in photos if photo.payload.sha256 in digests)


def _id_of_file(stored: str) -> str:
    return document_id(real_path(stored).name)


def _file(home: Path, key: str) -> Path:
    return home / FOLDER_NAME / f"{key}.json"
