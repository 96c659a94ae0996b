"""What was forgotten since a backup was made: a restore must not bring it back.

A backup holds documents that were forgotten after it. Beside the backups lies the newest list of tombstones: keyed
digests, and the key, which lies in the home otherwise. With it, or with the ledger that a restore replaces, the
restored home is asked which of its documents were forgotten.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import DocumentRow, SearchResult
from doc_assets.archive.ledger.tombstones import TombstoneLedger, Tombstones
from doc_assets.errors import BackupError, DamagedError, ServiceError
from doc_assets.ops.backup.databases import file_of, kind_of
from doc_assets.ops.backup.estate import Estate
from doc_assets.sources.names import document_id

_PREFIX = "forgotten-"


def keep_beside(root: Path, tombstones: TombstoneLedger, now: datetime) -> None:
    """Writes the tombstones of a home beside its backups, in place of those written before."""
    known = tombstones.taken_out()
    if known is None:
        return
    path = root / f"{_PREFIX}{hashlib.sha256(known.key).hexdigest()[:16]}.json"
    rows = [[mark, own, at.isoformat()] for mark, own, at in known.rows]
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as target:
        json.dump({"written_at": now.isoformat(), "key": known.key.hex(), "tombstones": rows}, target)
        target.flush()
        os.fsync(handle)
    temporary.replace(path)


@dataclass(frozen=True, slots=True)
class ForgottenList:
    """What was known as forgotten, and until when it is known."""

    tombstones: Tombstones
    known_until: datetime


def read_beside(root: Path) -> list[ForgottenList]:
    """Every list of tombstones that lies beside backups.

    Raises:
        BackupError: if one cannot be read; a restore without it would bring forgotten documents back.
    """
    found = []
    for path in sorted(root.glob(f"{_PREFIX}*.json")):
        try:
            stored = json.loads(path.read_text(encoding="ascii"))
            rows = tuple((str(mark), str(own), datetime.fromisoformat(at)) for mark, own, at in stored["tombstones"])
            written = datetime.fromisoformat(stored["written_at"])
            found.append(ForgottenList(Tombstones(bytes.fromhex(stored["key"]), rows), written))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(
                f"{path} cannot be read ({error}). It lists what was forgotten; without it forgotten documents would "
                "come back. Put a sound copy there, or remove it if you know that nothing was forgotten."
            ) from error
    return found


def known_in(estate: Estate, notes: list[str]) -> list[ForgottenList]:
    """What the ledger of a home that is about to be replaced knows as forgotten; nothing if it is new.

    Args:
        estate: the home.
        notes: gets a line if the ledger cannot be read.
    """
    if kind_of(estate.ledger_url) == "sqlite" and not file_of(estate.ledger_url).is_file():
        return []
    database = Database(estate.ledger_url)
    try:
        if database.revision() is None:
            return []
        ledger = Ledger(database, estate.forgotten_key)  # whatever its revision: an update may be what is undone
        known = ledger.tombstones.taken_out()
    except (DamagedError, DatabaseError, ServiceError) as error:
        notes.append(f"The ledger that was replaced could not be read ({error}), nor what it knew as forgotten.")
        return []
    finally:
        database.close()
    return [ForgottenList(known, datetime.now(UTC))] if known else []


def returned(ledger: Ledger, lists: Sequence[Tombstones]) -> list[str]:
    """Documents of a restored ledger, also such that were only searched for, that are on one of the lists."""
    with ledger.database.reading() as connection:
        arrived = connection.execute(select(DocumentRow.document_id, DocumentRow.sha256).distinct()).all()
        asked = connection.execute(select(SearchResult.query_document).distinct()).scalars().all()
    pairs = {(str(name), digest) for name, digest in arrived} | {(document_id(name), None) for name in asked}
    return sorted({name for name, digest in pairs if any(known.knows(name, digest) for known in lists)})
