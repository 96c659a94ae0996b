"""What a backup must find: an empty or missing source is refused, never backed up as nothing."""

from collections.abc import Mapping

from upath import UPath

from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ArchiveCounts
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import BackupError
from doc_assets.ops.backup.databases import file_of, kind_of
from doc_assets.ops.backup.estate import Estate
from doc_assets.sources.staging import staged_path
from doc_assets.util.progress import track

_MOST_NAMED = 5


def open_existing_ledger(estate: Estate) -> Ledger:
    """The ledger as it is; unlike every other opening this one makes and changes nothing.

    Raises:
        BackupError: if it is not there, empty, or has tables of another revision.
    """
    if kind_of(estate.ledger_url) == "sqlite" and not file_of(estate.ledger_url).is_file():
        raise BackupError(f"The ledger {file_of(estate.ledger_url)} is missing; there is nothing to back up.")
    database = Database(estate.ledger_url)
    revision = database.revision()
    if revision != SCHEMA_REVISION:
        database.close()
        shown = database.url.render_as_string(hide_password=True)
        raise BackupError(
            f"The ledger {shown} has tables of revision {revision or 'none'}, this program works with "
            f"{SCHEMA_REVISION}. Back it up with the version that wrote it, or run `doc-assets migrate`."
        )
    return Ledger(database, estate.forgotten_key)


def require_sources(estate: Estate, ledger: Ledger, store: VectorStore) -> ArchiveCounts:
    """What the archive holds, once every store proved to be there and to hold something.

    Raises:
        BackupError: if one is missing or empty; names it.
    """
    counts = ledger.documents.counts()
    if not counts.current:
        raise BackupError("The ledger holds no document of the archive; there is nothing to back up.")
    _require_collection(estate, ledger, store)
    needed = ["documents", *(["photos", "embeddings", "local_features"] if counts.photos else [])]
    for stage in needed:
        folder = estate.bulk / stage
        if not folder.exists() or not any(True for _ in folder.iterdir()):
            raise BackupError(
                f"{folder} is missing or empty, the ledger counts {counts.current} documents with {counts.photos} "
                "photos. Is its disk mounted, and DOC_ASSETS_BULK_ROOT right? Nothing was backed up."
            )
    if estate.dagster_url is None and not any(estate.dagster_home.rglob("*.db")):
        raise BackupError(f"Dagster's records in {estate.dagster_home} are missing. Nothing was backed up.")
    return counts


def require_documents(ledger: Ledger, copied: Mapping[str, str]) -> None:
    """Refuses a backup in which the copy of a document of the archive is missing or damaged.

    Args:
        ledger: that knows which are needed.
        copied: what the backup holds: path below the bulk root, and SHA-256.

    Raises:
        BackupError: if one is; names the first.
    """
    faulty = []
    for document in track(ledger.documents.current(), "documents", ledger.documents.counts().current):
        path = staged_path(UPath(), str(document.sha256)).as_posix()
        if copied.get(path) != document.sha256:
            faulty.append(document.file_name)
    if faulty:
        raise BackupError(
            f"The copies of {len(faulty)} documents are missing or damaged: {', '.join(faulty[:_MOST_NAMED])}. Drop "
            "these documents again (`doc-assets check --read-data` lists all); nothing was backed up."
        )


def _require_collection(estate: Estate, ledger: Ledger, store: VectorStore) -> None:
    collection = store.resolve(estate.alias)
    if collection is None or collection not in store.collections():
        raise BackupError(
            f"The vector store has no collection behind {estate.alias!r} ({collection or 'no such alias'}). "
            "`doc-assets rebuild-index` makes it from Parquet; nothing was backed up."
        )
    expected = ledger.collections.photos(collection)
    if expected and not store.count(collection):
        raise BackupError(
            f"Collection {collection} is empty, the ledger counts {expected} photos in it. `doc-assets rebuild-index` "
            "makes it from Parquet; nothing was backed up."
        )
