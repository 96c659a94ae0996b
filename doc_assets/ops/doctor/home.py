"""Checks of what a home works with: key tables, ledger, vector store, and what it speaks to over HTTP."""

import socket
from contextlib import closing
from itertools import islice

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from upath import UPath

from doc_assets.archive.adoption import adopt_collections
from doc_assets.archive.home import home_identity, require_whole
from doc_assets.archive.ledger.audit import AuditLedger
from doc_assets.archive.ledger.collections import CollectionLedger
from doc_assets.archive.ledger.database import SCHEMA_REVISION, Database, is_absent
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.errors import DamagedError, InterruptedRestoreError, ServiceError, SettingsError, StoreBusyError
from doc_assets.ops.alerts import webhook_from
from doc_assets.ops.doctor.check import Finding, green, red, yellow
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import KeyState, Resolver
from doc_assets.sources.key_names import require_token
from doc_assets.sources.key_tables.table import KeyTable

_ANSWER_WITHIN_S = 10
_AUDITED = 10_000
_MAX_SHOWN = 300
_TRIED_KEYS = 50
_LOCAL = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_NO_TABLE = "no DOC_ASSETS_KEY_TABLE; merchants are named by --key-table only"
_FIRST = "The first ingestion makes it."
_AGAIN = "Run `doc-assets rebuild-index`; vectors come back from Parquet."


def check_naming(settings: Settings) -> Finding:
    """Whether the naming rule can lead from a key to any file."""
    try:
        require_token(settings.key_insert_token)
    except SettingsError as error:
        return red(f"DOC_ASSETS_KEY_INSERT_TOKEN: {error}", "Correct it in .env or the environment.")
    naming = Runtime(settings).source_rules.naming
    names = ", ".join(attempt.shown for attempt in naming.tries("KEY00001"))
    return green(f"key KEY00001 is looked for as {names}")


def check_table(settings: Settings) -> Finding:
    """Whether the key table of the settings can be read, and its first keys have files in the archive folders."""
    if settings.key_table is None:
        return green(_NO_TABLE)
    rules = Runtime(settings).source_rules
    try:
        with KeyTable.read(settings.key_table, rules.layout, rules.naming) as table:
            return _judged_table(settings, table)
    except SettingsError as error:
        return red(str(error), "Correct the table, or DOC_ASSETS_KEY_TABLE and DOC_ASSETS_KEY_COLUMN.")


def _judged_table(settings: Settings, table: KeyTable) -> Finding:
    says = f"{settings.key_table}: {table.n_rows} rows, {table.n_keys} keys, {table.n_faults} rows cannot be used"
    look = f"`doc-assets resolve-keys --key-table {settings.key_table}` lists them."
    if not table.n_keys:
        return red(f"{says}; no merchant is known", look)
    tried, found = _found_keys(settings, table)
    if tried and not found:
        return red(
            f"{says}; none of its first {tried} keys has a file in the archive folders",
            f"Compare DOC_ASSETS_KEY_INSERT_TOKEN={settings.key_insert_token}, DOC_ASSETS_KEY_TAIL_LEN and "
            "DOC_ASSETS_KEY_GLOB_SUFFIX with the names of the files.",
        )
    return yellow(says, look) if table.n_faults else green(says)


def _found_keys(settings: Settings, table: KeyTable) -> tuple[int, int]:
    """How many keys were looked up in the index of archive folders as it is, and how many have a file."""
    rules = Runtime(settings).source_rules
    if not rules.roots or not rules.index.is_file():
        return 0, 0
    with FileIndex(rules.index) as opened:
        resolver = Resolver(opened, tuple(map(UPath, rules.roots)), rules.naming, rules.any_depth)
        answers = list(resolver.resolve(islice(table.rows(), _TRIED_KEYS)))
    return len(answers), sum(answer.state is not KeyState.MISSING for answer in answers)


def check_restore(settings: Settings) -> Finding:
    """Whether a restore left the home half made."""
    try:
        require_whole(settings.home)
    except InterruptedRestoreError as error:
        return red(str(error), "Run the restore again.")
    return green("none was interrupted")


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
            return _judged_revision(shown, database.revision())
    except ServiceError as error:
        fix = "Start the database, or correct DOC_ASSETS_LEDGER_URL (host, port, name, password)."
        return red(f"the database does not answer: {error}", fix)
    except (DamagedError, DatabaseError) as error:
        return red(f"{shown} is no ledger or damaged: {getattr(error, 'orig', error)}", "Restore a backup of it.")


def _judged_revision(shown: str, revision: str | None) -> Finding:
    if revision is None:
        return yellow(f"{shown} answers and has no tables", "The next command makes them.")
    if revision > SCHEMA_REVISION:
        fix = "Install the version that wrote them, or restore a backup."
        return red(f"{shown} has tables of revision {revision}, this program knows {SCHEMA_REVISION}", fix)
    if revision < SCHEMA_REVISION:
        return yellow(f"{shown} has revision {revision}", f"Back it up; the next command makes it {SCHEMA_REVISION}.")
    return green(f"{shown}, revision {revision}")


def check_audit(settings: Settings) -> Finding:
    """Whether the newest entries of the review desk's audit fit each other; `doc-assets audit --verify` reads all."""
    if not _is_up_to_date(settings):
        return green("not looked at, there is no ledger of this version")
    with closing(Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)) as database:
        whole = AuditLedger(database).verify(_AUDITED)
    if whole.broken is not None:
        says = f"entry {whole.broken} does not fit the one before it: it was changed, or rows are missing"
        return red(says, "Find out who could write to the ledger; compare with a backup (`doc-assets audit --verify`).")
    return green(f"{whole.entries} entries")


def check_store(settings: Settings) -> Finding:
    """Whether the vector store opens and has a collection behind its alias."""
    return _check_server(settings) if settings.qdrant_url else _check_embedded(settings)


def _check_embedded(settings: Settings) -> Finding:
    folder = settings.qdrant_dir
    if not folder.is_dir():
        if counted := max(_expected(settings).values(), default=0):
            return red(f"{folder} is gone, the ledger counts {counted} photos in it", _AGAIN)
        return yellow(f"{folder} does not exist", _FIRST)
    try:
        with EmbeddedStore(folder, 1.0, home_identity(settings.home, make=False)) as store:
            return _published(settings, store, f"embedded in {folder}")
    except StoreBusyError as error:
        return yellow(f"in use: {error}", "Nothing to do while a run is in progress; look again after it.")
    except ServiceError as error:
        return red(str(error), "Rename the folder and run `doc-assets rebuild-index`; vectors come back from Parquet.")
    except OSError as error:
        return red(f"{folder}: {error}", "Give this user the right to write there.")


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
    if not _is_up_to_date(settings):
        return {}
    with closing(Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)) as database:
        return CollectionLedger(database).all_photos()


def _is_up_to_date(settings: Settings) -> bool:
    """Whether the ledger can be read and has the tables of this program; why not, ``check_ledger`` tells."""
    if is_absent(settings.ledger_address):
        return False
    try:
        with closing(Database(settings.ledger_address, answer_within_s=_ANSWER_WITHIN_S)) as database:
            return database.revision() == SCHEMA_REVISION
    except (DamagedError, ServiceError, DatabaseError, ArgumentError, NoSuchModuleError):
        return False


def check_webhook(settings: Settings) -> Finding:
    """Whether the address may be used and its host takes connections; nothing is sent."""
    try:
        webhook = webhook_from(settings)
    except SettingsError as error:
        return red(str(error), "Correct DOC_ASSETS_ALERT_WEBHOOK_URL or DOC_ASSETS_ALERT_WEBHOOK_ALLOWED.")
    if webhook is None:
        return green("off, DOC_ASSETS_ALERT_WEBHOOK_URL is not set")
    try:
        socket.create_connection(webhook.address, _ANSWER_WITHIN_S).close()
    except OSError as error:
        fix = "Start it or open the way to it; alerts about failed runs wait until then."
        return red(f"{webhook.origin} cannot be reached: {error}", fix)
    return green(f"{webhook.origin} takes connections (`doc-assets send-test-alert` sends a test)")


def check_image_api(settings: Settings) -> Finding:
    """Whether the document API that this home serves says that it is well."""
    import httpx

    url = settings.image_api_url.rstrip("/")
    if not url:
        return green("not asked, DOC_ASSETS_IMAGE_API_URL is not set")
    fix = "Start `doc-assets serve-images` (profile api of the stack), or correct DOC_ASSETS_IMAGE_API_URL."
    try:
        with httpx.Client(timeout=_ANSWER_WITHIN_S, follow_redirects=False, trust_env=False) as client:
            answer = client.get(f"{url}/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return red(f"{url} does not answer: {type(error).__name__}: {error}", fix)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        says = f"{url} is failing: {answer.text[:_MAX_SHOWN]}"
        return red(says, "Bring back the archive folder or key table it names.")
    if not answer.is_success:
        return red(f"{url}/healthz answered {answer.status_code}", fix)
    return green(f"{url} answers")
