"""Key tables: the rule that turns keys into file names, and the table that names merchants."""

from itertools import islice

from upath import UPath

from doc_assets.errors import SettingsError
from doc_assets.ops.doctor.check import Check, Finding, green, red, yellow
from doc_assets.settings import Settings
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import KeyState, Resolver
from doc_assets.sources.key_names import NameRule, require_token
from doc_assets.sources.key_tables.table import KeyTable, TableLayout

_TRIED_KEYS = 50
_NO_TABLE = "no DOC_ASSETS_KEY_TABLE; merchants are named by --key-table only"


def key_table_checks(settings: Settings) -> list[Check]:
    """Checks of what the settings say about key tables."""
    return [
        Check("key tables", "naming", lambda: check_naming(settings)),
        Check("key tables", "table", lambda: check_table(settings)),
    ]


def check_naming(settings: Settings) -> Finding:
    """Whether the naming rule can lead from a key to any file."""
    try:
        require_token(settings.key_insert_token)
    except SettingsError as error:
        return red(f"DOC_ASSETS_KEY_INSERT_TOKEN: {error}", "Correct it in .env or the environment.")
    names = ", ".join(attempt.shown for attempt in _rule(settings).tries("KEY00001"))
    return green(f"key KEY00001 is looked for as {names}")


def check_table(settings: Settings) -> Finding:
    """Whether the key table of the settings can be read, and its first keys have files in the archive folders."""
    if settings.key_table is None:
        return green(_NO_TABLE)
    layout = TableLayout(
        settings.key_column, settings.key_merchant_column, tuple(settings.key_fields), settings.key_sheet
    )
    try:
        with KeyTable.read(settings.key_table, layout, _rule(settings)) as table:
            return _judged(settings, table)
    except SettingsError as error:
        return red(str(error), "Correct the table, or DOC_ASSETS_KEY_TABLE and DOC_ASSETS_KEY_COLUMN.")


def _judged(settings: Settings, table: KeyTable) -> Finding:
    says = f"{settings.key_table}: {table.n_rows} rows, {table.n_keys} keys, {table.n_faults} rows cannot be used"
    look = f"`doc-assets resolve-keys --key-table {settings.key_table}` lists them."
    if not table.n_keys:
        return red(f"{says}; no merchant is known", look)
    tried, found = _found(settings, table)
    if tried and not found:
        token = settings.key_insert_token
        return red(
            f"{says}; none of its first {tried} keys has a file in the archive folders",
            f"Compare DOC_ASSETS_KEY_INSERT_TOKEN={token}, DOC_ASSETS_KEY_TAIL_LEN and DOC_ASSETS_KEY_GLOB_SUFFIX "
            "with the names of the files.",
        )
    return yellow(says, look) if table.n_faults else green(says)


def _found(settings: Settings, table: KeyTable) -> tuple[int, int]:
    """How many keys were looked up in the index of archive folders as it is, and how many have a file."""
    index = settings.home / "file_index.sqlite"
    if not settings.search_roots or not index.is_file():
        return 0, 0
    roots = tuple(UPath(root) for root in settings.search_roots)
    with FileIndex(index) as opened:
        resolver = Resolver(opened, roots, _rule(settings), settings.search_any_depth)
        answers = list(resolver.resolve(islice(table.rows(), _TRIED_KEYS)))
    return len(answers), sum(answer.state is not KeyState.MISSING for answer in answers)


def _rule(settings: Settings) -> NameRule:
    return NameRule(settings.key_tail_len, settings.key_insert_token, settings.key_glob_suffix)
