"""What is to be forgotten, written down before anything is removed, so that a killed run can be ended.

The file names the document; it lies in the home, readable by its owner only, until the proof found no trace.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, chunk_of
from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.shards import read_photos
from doc_assets.errors import UnknownDocumentError
from doc_assets.ops.erasure.needles import Needles, pieces_of
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
        pieces: of their files and photos, as hex digits.
        others: names of other documents in which a word stands.
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
    def needles(self) -> Needles:
        """What must be found nowhere in the end."""
        return Needles(tuple(self.words), tuple(bytes.fromhex(piece) for piece in self.pieces), tuple(self.others))

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
    waiting = {document_id(real_path(path).name) for path in archive.ledger.intake.inbox()}

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
    """A request to forget documents; changes nothing.

    Args:
        archive: where they are.
        names: ids of the documents; see ``meant``.
        naming: how keys of key tables name files; default: the archive's rule.

    Raises:
        UnknownDocumentError: if nothing is known of one of them.
    """
    ids = sorted(set(names))
    removal = DocumentRemoval(archive.ledger.database)
    arrivals = archive.ledger.documents.arrivals(ids)
    inbox = [path for path in archive.ledger.intake.inbox() if document_id(real_path(path).name) in ids]
    searches = archive.ledger.searches.naming(ids)
    known = {document.document_id for document in arrivals} | {document_id(real_path(path).name) for path in inbox}
    unknown = [name for name in ids if name not in known and not archive.ledger.searches.naming([name])]
    if unknown:
        raise UnknownDocumentError(
            f"Nothing is known of {', '.join(unknown)}: no file of that name arrived and no search names it. "
            "A document's id is its file name without its ending; nothing was forgotten."
        )
    digests: dict[str, set[str]] = {name: set() for name in ids}
    for document in arrivals:
        if document.sha256 is not None:
            digests[document.document_id].add(document.sha256)
    private = set().union(*digests.values()) if digests else set()
    private -= removal.shared_contents(private, ids)
    words = _words(ids, arrivals, inbox, private)
    chunks = sorted(
        {chunk_of(document, archive.chunks(document.drop_key)) for document in arrivals},
        key=lambda chunk: (chunk.drop_key, chunk.positions.start),
    )
    photos, pieces = _pieces(archive, ids, private, chunks)
    return ForgetRequest(
        key=secrets.token_hex(8),
        document_ids=ids,
        arrivals=len(arrivals),
        photos=photos,
        words=words,
        pieces=sorted({piece.hex() for piece in pieces}),
        others=sorted(removal.others_containing(words, ids) - set(words)),
        digests={name: sorted(found & private) for name, found in digests.items()},
        chunks=[(chunk.drop_key, chunk.positions.start, chunk.positions.stop) for chunk in chunks],
        paths=sorted({document.source_path for document in arrivals} | set(inbox)),
        inbox_paths=inbox,
        searches=searches,
        keys=sorted({key for name in ids for key in (naming or NameRule()).keys_of(name)}),
    )


def _words(ids: Sequence[str], arrivals: Sequence[Document], inbox: Sequence[str], digests: Iterable[str]) -> list[str]:
    names = {document.file_name for document in arrivals}
    names |= {display_name(real_path(path).name) for path in inbox}
    paths = {document.source_path for document in arrivals} | set(inbox)
    files = {*map(safe_stem, ids), *map(result_stem, names)}
    return sorted({*ids, *names, *paths, *digests, *files, *map(normalised, ids)})


def _pieces(archive: Archive, ids: Sequence[str], digests: set[str], chunks: Sequence[Chunk]) -> tuple[int, set[bytes]]:
    """How many photos the documents have, and pieces of these and of the staged files."""
    pieces = {bytes.fromhex(digest) for digest in digests}
    for digest in digests:
        staged = staged_path(archive.bulk, digest)
        if staged.exists():
            pieces.update(pieces_of(staged.read_bytes()))
    n = 0
    for chunk in chunks:
        shard = archive.photo_shard(chunk)
        for photo in read_photos(shard) if shard.exists() else ():
            if photo.payload.document_id in ids:
                n += 1
                if photo.payload.sha256 in digests:
                    pieces.update(pieces_of(photo.jpeg))
    return n, pieces


def _file(home: Path, key: str) -> Path:
    return home / FOLDER_NAME / f"{key}.json"
