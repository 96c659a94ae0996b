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
from upath import UPath

from doc_assets.archive.ledger.database import Database, is_absent
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.schema import DocumentRow, SearchResult
from doc_assets.archive.ledger.tombstones import TombstoneLedger, Tombstones
from doc_assets.errors import BackupError, DamagedError, ServiceError
from doc_assets.settings import Settings
from doc_assets.sources.names import document_id
from doc_assets.util.files import atomic_writer

_PREFIX = "forgotten-"


def write_list(root: Path, tombstones: TombstoneLedger, now: datetime) -> None:
    """Writes the tombstones of a home into a folder, in place of those written before."""
    known = tombstones.taken_out()
    if known is None:
        return
    path = root / f"{_PREFIX}{hashlib.sha256(known.key).hexdigest()[:16]}.json"
    rows = [[mark, own, at.isoformat()] for mark, own, at in known.rows]
    listed = {"written_at": now.isoformat(), "key": known.key.hex(), "tombstones": rows}
    with atomic_writer(UPath(path)) as target:
        os.fchmod(target.fileno(), 0o600)
        target.write(json.dumps(listed).encode("ascii"))


@dataclass(frozen=True, slots=True)
class ForgottenList:
    """What was known as forgotten, and until when it is known."""

    tombstones: Tombstones
    known_until: datetime


def read_lists(root: Path) -> list[ForgottenList]:
    """Every list of tombstones in a folder.

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


def write_own_list(settings: Settings, notes: list[str]) -> None:
    """Writes what the ledger of a home that is about to be replaced knows as forgotten into the home's folder.

    ``notes`` gets a line if the ledger cannot be read.
    """
    if is_absent(settings.ledger_address):
        return
    database = Database(settings.ledger_address)
    try:
        if database.revision() is not None:  # whatever it is: an update may be what is undone
            ledger = Ledger(database, settings.forgotten_key)
            write_list(settings.home, ledger.tombstones, datetime.now(UTC))
    except (DamagedError, DatabaseError, ServiceError) as error:
        notes.append(f"The ledger that was replaced could not be read ({error}), nor what it knew as forgotten.")
    finally:
        database.close()


def drop_lists(root: Path) -> None:
    """Removes every such list from a folder."""
    for path in root.glob(f"{_PREFIX}*.json"):
        path.unlink()


def returned(ledger: Ledger, lists: Sequence[Tombstones]) -> list[str]:
    """Documents of a restored ledger, also such that were only searched for, that are on one of the lists."""
    with ledger.database.reading() as connection:
        arrived = connection.execute(select(DocumentRow.document_id, DocumentRow.sha256).distinct()).all()
        asked = connection.execute(select(SearchResult.query_document).distinct()).scalars().all()
    pairs = {(str(name), digest) for name, digest in arrived} | {(document_id(name), None) for name in asked}
    return sorted({name for name, digest in pairs if any(known.knows(name, digest) for known in lists)})
