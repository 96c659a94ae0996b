"""The ledger's database and the vector store."""

from contextlib import closing

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from doc_assets.archive.adoption import adopt_collections
from doc_assets.archive.home import home_identity
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.errors import DamagedError, ServiceError, StoreBusyError
from doc_assets.ops.doctor.check import Check, Finding, green, red, yellow
from doc_assets.settings import Settings

_ANSWER_WITHIN_S = 10
_LOCAL = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_FIRST = "The first ingestion makes it."
_AGAIN = "Run `doc-assets rebuild-index`; vectors come back from Parquet."


def service_checks(settings: Settings) -> list[Check]:
    """Checks of ledger and store."""
    return [
        Check("ledger", "database", lambda: check_ledger(settings)),
        Check("store", "vectors", lambda: check_store(settings)),
    ]


def check_ledger(settings: Settings) -> Finding:
    """Whether the database answers and its tables have the revision that this program knows; makes none."""
    try:
        url = make_url(settings.ledger_address)
        if is_absent(settings.ledger_address):
            return yellow(f"{url} does not exist", _FIRST)
        database = Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)
    except (ArgumentError, NoSuchModuleError) as error:
        return red(f"DOC_ASSETS_LEDGER_URL names no database: {error}", "Correct it, see .env.example.")
    shown = url.render_as_string(hide_password=True)
    try:
        with closing(database):
            return _judged(shown, database.revision())
    except ServiceError as error:
        fix = "Start the database, or correct DOC_ASSETS_LEDGER_URL (host, port, name, password)."
        return red(f"the database does not answer: {error}", fix)
    except (DamagedError, DatabaseError) as error:
        return red(f"{shown} is no ledger or damaged: {getattr(error, 'orig', error)}", "Restore a backup of it.")


def _judged(shown: str, revision: str | None) -> Finding:
    if revision is None:
        return yellow(f"{shown} answers and has no tables", "The next command makes them.")
    if revision > SCHEMA_REVISION:
        fix = "Install the version that wrote them, or restore a backup."
        return red(f"{shown} has tables of revision {revision}, this program knows {SCHEMA_REVISION}", fix)
    if revision < SCHEMA_REVISION:
        return yellow(f"{shown} has revision {revision}", f"Back it up; the next command makes it {SCHEMA_REVISION}.")
    return green(f"{shown}, revision {revision}")


def check_store(settings: Settings) -> Finding:
    """Whether the vector store opens and has a collection behind its alias."""
    if settings.qdrant_url:
        return _check_server(settings)
    if not settings.qdrant_dir.is_dir():
        return _absent(settings)
    return _check_embedded(settings)


def _absent(settings: Settings) -> Finding:
    if (counted := max(_expected(settings).values(), default=0)) > 0:
        return red(f"{settings.qdrant_dir} is gone, the ledger counts {counted} photos in it", _AGAIN)
    return yellow(f"{settings.qdrant_dir} does not exist", _FIRST)


def _check_embedded(settings: Settings) -> Finding:
    try:
        with EmbeddedStore(settings.qdrant_dir, 1.0, home_identity(settings.home, make=False)) as store:
            return _published(settings, store, f"embedded in {settings.qdrant_dir}")
    except StoreBusyError as error:
        return yellow(f"in use: {error}", "Nothing to do while a run is in progress; look again after it.")
    except ServiceError as error:
        return red(str(error), "Rename the folder and run `doc-assets rebuild-index`; vectors come back from Parquet.")
    except OSError as error:
        return red(f"{settings.qdrant_dir}: {error}", "Give this user the right to write there.")


def connect_briefly(settings: Settings) -> ServerStore:
    """The Qdrant server of the settings, for a look that must not take long.

    Raises:
        ServiceError: if it does not answer within ten seconds.
    """
    key = settings.qdrant_api_key
    return ServerStore.connect(
        str(settings.qdrant_url),
        api_key=key.get_secret_value() if key else None,
        grpc_port=settings.qdrant_grpc_port,
        timeout_s=min(_ANSWER_WITHIN_S, settings.qdrant_timeout_s),
        home=home_identity(settings.home, make=False),
    )


def _check_server(settings: Settings) -> Finding:
    url, key = str(settings.qdrant_url), settings.qdrant_api_key
    try:
        with connect_briefly(settings) as store:
            found = _published(settings, store, url)
    except ServiceError as error:
        return red(str(error), "Start the server; check DOC_ASSETS_QDRANT_URL, _GRPC_PORT and _API_KEY.")
    if key is None and not url.startswith(_LOCAL):
        fix = "Set DOC_ASSETS_QDRANT_API_KEY here and service.api_key on the server."
        return yellow(f"{found.says}; it answers without an API key", fix)
    return found


def _published(settings: Settings, store: VectorStore, where: str) -> Finding:
    alias, expected = settings.collection_alias, _expected(settings)
    adopt_collections(store, settings.ledger_address, alias)
    collection = store.resolve(alias)
    total = sum(expected.values())
    if collection is None:
        if total:
            lost = f"{where}, nothing is published as {alias!r}, the ledger counts {max(expected.values())} photos"
            return red(f"{lost}: the collection is lost. {' '.join(store.refused.values())}", _AGAIN)
        return yellow(f"{where}, nothing is published as {alias!r}", _FIRST)
    if collection not in store.collections():
        return red(f"{where}: alias {alias!r} points at {collection}, which is gone", _AGAIN)
    points, wanted = store.count(collection), expected.get(collection, 0)
    if points < wanted:
        return red(f"{where}, {collection} holds {points} of {wanted} photos that the ledger counts", _AGAIN)
    return green(f"{where}, {alias} is {collection} with {points} photos")


def _expected(settings: Settings) -> dict[str, int]:
    """Photos by collection as the ledger counts them; empty if it cannot be read, which another check tells."""
    if is_absent(settings.ledger_address):
        return {}
    try:
        with closing(Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)) as database:
            if database.revision() != SCHEMA_REVISION:
                return {}
            return CollectionLedger(database).all_photos()
    except (DamagedError, ServiceError, DatabaseError, ArgumentError, NoSuchModuleError):
        return {}
