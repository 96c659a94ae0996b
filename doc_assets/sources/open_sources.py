"""What a person asks for -> the sources that give it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from doc_assets.errors import SettingsError
from doc_assets.sources.document_api import ApiOptions, ApiSource, DocumentApiClient, FailedRequestLog
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.folders import opened_folder
from doc_assets.sources.key_lookup import Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyOf, KeyRow, KeyTable, TableLayout, keys_in, table_in
from doc_assets.sources.sources import DocumentSource, FolderSource, KeyedFolders, UnusableRows


@dataclass(frozen=True, slots=True)
class SourceRules:
    """How sources are read, whatever is asked of them.

    Attributes:
        index: SQLite file of the index of archive folders.
        failed_log: file of the requests that an API could not answer ...
        failed_log_bytes: ... which is closed at this size.
        layout: of key tables.
        naming: how keys name files.
        roots: archive folders that keys are looked up in if none are asked for.
        any_depth: whether files below their subfolders count.
        api: how the document API is asked; with an empty address if there is none.
        key_table: that names merchants if none is asked for.
        ignore: further name patterns of files to ignore.
    """

    index: Path
    failed_log: Path
    failed_log_bytes: int = 20 << 20
    layout: TableLayout = field(default_factory=TableLayout)
    naming: NameRule = field(default_factory=NameRule)
    roots: tuple[str, ...] = ()
    any_depth: bool = True
    api: ApiOptions = field(default_factory=lambda: ApiOptions(""))
    key_table: Path | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """Which documents are meant.

    Attributes:
        folder: a folder or URL of object storage; empty for none.
        recursive: whether its subfolders are looked into.
        key_table: with a folder or files it says whose documents are; alone it names the documents.
        roots: archive folders to look keys up in.
        api_url: document API to ask for keys instead.
    """

    folder: str = ""
    recursive: bool = False
    key_table: Path | None = None
    roots: tuple[str, ...] = ()
    api_url: str = ""


@dataclass(frozen=True, slots=True)
class OpenSources:
    """The sources that were asked for, ready to be read; ``key_of`` tells the rows of files named by hand."""

    sources: tuple[DocumentSource, ...]
    key_of: KeyOf

    @property
    def source(self) -> DocumentSource:
        """The only source."""
        (source,) = self.sources
        return source


@contextmanager
def open_sources(
    rules: SourceRules,
    asked: SourceRequest,
    known: Callable[[KeyRow], bool] = lambda _: False,
    *,
    files_are_named: bool = False,
) -> Iterator[OpenSources]:
    """The sources of a request; tables and connections are closed at the end of the block.

    Args:
        rules: how sources are read.
        asked: which.
        known: keys that an API need not be asked for.
        files_are_named: whether documents are named one by one beside.

    Raises:
        SettingsError: if the request names nothing, or two ways for the same keys; if a key table cannot be used.
        FolderUnreachableError: if a root cannot be listed.
    """
    if asked.folder or files_are_named:
        if asked.roots or asked.api_url:
            more = "archive folders or an API to look keys up in"
            raise SettingsError(f"A folder, and {more}, exclude each other; name one of them.")
        key_of = keys_in(asked.key_table or rules.key_table, rules.layout, rules.naming)
        table = table_in(asked.key_table, rules.layout, rules.naming)
        sources: tuple[DocumentSource, ...] = (UnusableRows(table),) if table is not None else ()
        if asked.folder:
            folder = opened_folder(asked.folder)
            sources = (FolderSource(folder, asked.recursive, rules.ignore, key_of, table=table),)
        yield OpenSources(sources, key_of)
        return
    if asked.key_table is None:
        raise SettingsError("Name a folder, files, or a key table (--folder, --file, --key-table).")
    with ExitStack() as stack:
        table = stack.enter_context(KeyTable.read(asked.key_table, rules.layout, rules.naming))
        yield OpenSources((_keyed(rules, asked, table, known, stack),), table.row_of)


def _keyed(
    rules: SourceRules, asked: SourceRequest, table: KeyTable, known: Callable[[KeyRow], bool], stack: ExitStack
) -> DocumentSource:
    if asked.roots and asked.api_url:
        raise SettingsError("Archive folders and a document API exclude each other; name one of them.")
    url = asked.api_url or ("" if asked.roots or rules.roots else rules.api.url)
    if url:
        log = FailedRequestLog(rules.failed_log, rules.failed_log_bytes, url)
        stack.callback(log.close)
        client = DocumentApiClient(replace(rules.api, url=url), log)
        stack.callback(client.close)
        return ApiSource(table, client, url, known)
    return KeyedFolders(table, open_resolver(rules, asked.roots, stack))


def open_resolver(rules: SourceRules, roots: tuple[str, ...], stack: ExitStack, *, rebuild: bool = False) -> Resolver:
    """What looks keys up in archive folders, its index up to date; closed with ``stack``.

    Raises:
        SettingsError: if no archive folder is known.
        FolderUnreachableError: if one cannot be listed.
    """
    folders = tuple(opened_folder(root) for root in roots or rules.roots)
    if not folders:
        raise SettingsError(
            "No archive folder is known to look keys up in. Name one (--search-root, DOC_ASSETS_SEARCH_ROOTS) or a "
            "document API (--api-url, DOC_ASSETS_DOCUMENT_API_URL)."
        )
    index = stack.enter_context(FileIndex(rules.index))
    done = index.refresh(folders, rebuild=rebuild)
    return Resolver(index, folders, rules.naming, rules.any_depth, tuple(done.unreadable))
