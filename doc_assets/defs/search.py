"""Search on demand: an op job, because a question is not an asset."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from doc_assets.archive.identity import date_faults
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.defs import tables
from doc_assets.defs.changes import (
    API_URL,
    DEVICE,
    EXTRACTOR,
    EXTRACTOR_OPTIONS,
    FLAG_RISK,
    MATCH_PROBABILITY,
    SEARCH_ROOTS,
    RunChanges,
)
from doc_assets.defs.lineage import gpu_job
from doc_assets.defs.step import step
from doc_assets.reports.query_pictures import QueryPictures
from doc_assets.reports.stored_results import ResultFolders, write_result_files
from doc_assets.runtime import Runtime
from doc_assets.search.completeness import require_collection, shortfall, what_is_lacking
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryReader
from doc_assets.search.run import query_files, search_documents
from doc_assets.sources.key_tables.table import RESOLVE_KEYS_NAMES_THEM
from doc_assets.sources.open_sources import SourceRequest

REQUESTED_BY_TAG = "doc_assets/requested_by"
"""Who asked for the run."""
LAUNCHPAD = (
    "folder",
    "files",
    "key_table",
    "recursive",
    "output_folder",
    "top_doc",
    "include_batch",
    "exclude_own_merchant",
    "privacy_mode",
    "flag_risk",
)
"""The options that people use, which the Launchpad opens with (Dagster sorts them by name). It offers the others while
one types, and run configs may hold any of them."""
_NOTHING_NAMED = (
    "Nothing was searched for, because nothing was named. In the Launchpad give match_query_documents one of these: "
    "`folder` (a folder of query documents), `files` (their paths) or `key_table` (a table that names them)."
)


class SearchConfig(RunChanges):
    """What to search for, and how."""

    folder: str = Field(default="", description="Folder of query documents: TIFF, JPEG, PNG, WebP, BMP, PDF.")
    recursive: bool = Field(default=False, description="Whether subfolders are searched for queries too.")
    files: list[str] = Field(default=[], description="Query documents by path, in addition to the folder.")
    key_table: str = Field(
        default="",
        description="With a folder or files: says whose they are; default: the settings' one. Alone: names queries.",
    )
    search_roots: list[str] = SEARCH_ROOTS
    api_url: str = API_URL
    output_folder: str = Field(
        default="", description="Where the results are written; default: results/<run id> in the home."
    )
    top_k: int = Field(default=10, description="Nearest archive photos looked at for every query photo.")
    top_doc: int = Field(default=7, description="Documents reported for every query document.")
    aggregation_strategy: Literal["max", "sum", "mean"] = Field(
        default="max",
        description="Score of a document: max = its best photo pair; sum = over the query's photos, each "
        "one's best match in it; mean = that sum divided by the number of query photos.",
    )
    include_batch: bool = Field(
        default=True, description="Compare the query documents with each other too; nothing of them is kept."
    )
    use_words: bool = Field(
        default=True, description="Look for photos by their visual words too: finds what was cut to half."
    )
    exclude_own_merchant: bool = Field(
        default=False, description="Leave documents of the query's own merchant out, instead of showing them."
    )
    verify: bool = Field(
        default=True, description="Compare the keypoints of candidates: tells copies from look-alikes."
    )
    privacy_mode: bool = Field(default=True, description="Keep no pixel of the query documents anywhere.")
    match_probability: float = MATCH_PROBABILITY
    flag_risk: float = FLAG_RISK
    look_inside: bool = Field(
        default=False,
        description="Look for photos on a loose picture too, beside searching for it as a whole: a photo of a page "
        "shows photos.",
    )
    max_pages: int = Field(default=0, ge=0, description="Documents with more pages are rejected; 0: the setting.")
    requested_by: str = Field(default="", description="Who asks; default: the user of the process.")
    device: str = DEVICE
    photo_extractor: str = EXTRACTOR
    photo_extractor_options: dict[str, Any] = EXTRACTOR_OPTIONS

    def asked(self) -> SourceRequest:
        """Which documents are meant."""
        table = Path(self.key_table) if self.key_table else None
        return SourceRequest(self.folder, self.recursive, table, tuple(self.search_roots), self.api_url)

    def request(self, runtime: Runtime, run_id: str) -> SearchRequest:
        """How the archive is searched."""
        return runtime.request(
            top_k=self.top_k,
            top_doc=self.top_doc,
            aggregation=self.aggregation_strategy,
            include_batch=self.include_batch,
            use_words=self.use_words,
            exclude_own_merchant=self.exclude_own_merchant,
            verify=self.verify,
            privacy_mode=self.privacy_mode,
            output_folder=self.output_folder or str(runtime.settings.results_dir / run_id),
        )


@dg.op(
    out=dg.Out(str, description="Id of the search in the ledger.", io_manager_key="in_memory"),
    description="Reads the query documents, finds and ranks archive documents, records the results in the ledger. "
    "Only the id leaves the op: query photos never cross it.",
)
def match_query_documents(
    context: dg.OpExecutionContext, config: SearchConfig, runtime: dg.ResourceParam[Runtime]
) -> str:
    """Searches for every query document."""
    if not (config.folder or config.files or config.key_table):
        raise dg.Failure(description=_NOTHING_NAMED, allow_retries=False)
    with (
        step(context),
        runtime.sources(config.asked(), files_are_named=bool(config.files)) as opened,
        runtime.archive() as archive,
        config.of(runtime).reader() as reader,
    ):
        asked, ledger = config.of(runtime), archive.ledger
        if config.requested_by:
            context.instance.add_run_tags(context.run_id, {REQUESTED_BY_TAG: config.requested_by})
        request = config.request(asked, context.run_id)
        with runtime.store() as store:
            require_collection(ledger, store, runtime.alias)
        files = query_files(opened.sources, [Path(file) for file in config.files], opened.key_of)
        if faults := date_faults((file.row for file in files), runtime.dates, datetime.now(UTC)):
            context.log.warning(f"{len(faults)} dates of the key table cannot be used. {RESOLVE_KEYS_NAMES_THEM}")
        cutter = replace(asked.cutter(), look_inside=config.look_inside)
        tools = cutter, asked.embedder(), asked.describer()
        queries = QueryReader(reader, *tools, ledger.page_texts, runtime.dates, ledger.documents.date_of)
        results = search_documents(
            ledger,
            runtime.store,
            runtime.alias,
            queries,
            Verifier.of(archive, queries.describer.features_id, asked.pair_model(queries.embedder.embedder_id)),
            files,
            request,
            context.run_id,
            kept_by=None if config.privacy_mode else QueryPictures(Path(request.output_folder)).of,
            requested_by=config.requested_by,
        )
        with runtime.store() as store:
            short = shortfall(ledger, store, ledger.searches.get(context.run_id).collection)
        ledger.searches.note_incomplete(context.run_id, short)
        ranking = tables.ranking(ledger, results)
    n_photos = sum(result.n_photos for result in results)
    context.add_output_metadata({"ranking": ranking, "query_documents": len(results), "query_photos": n_photos})
    return context.run_id


@dg.op(
    description="Writes HTML, JSON, CSV and XLSX from the ledger; fails if a query document could not be read or "
    "compared in full."
)
def write_search_results(context: dg.OpExecutionContext, search_id: str, runtime: dg.ResourceParam[Runtime]) -> None:
    """Writes the results of a search as files."""
    settings = runtime.settings
    with step(context), runtime.archive() as archive, runtime.reader() as reader:
        searches = archive.ledger.searches
        search, results = searches.get(search_id), searches.results(search_id)
        folder = ResultFolders(settings.results_dir).of(search)
        files, page = write_result_files(archive, reader, search, folder, settings.remove_columns_from_results)
    written = {"report": page, "summary": files.summary, "csv": files.table_csv, "xlsx": files.table_xlsx}
    context.add_output_metadata({name: dg.MetadataValue.path(str(path)) for name, path in written.items()})
    if lacking := " ".join(filter(None, [search.settings.incomplete, what_is_lacking(results)])):
        done = f"Everything else was done; the results are in {files.summary.parent}."
        raise dg.Failure(description=f"{lacking} {done}", allow_retries=False)


@dg.graph(description="Searches the archive for the photos of query documents, on demand.")
def search_documents_job() -> None:
    """Query documents -> ranked archive documents."""
    write_search_results(match_query_documents())


def search_job() -> dg.JobDefinition:
    """The job with the tags that the settings ask for; its Launchpad shows what people use."""
    fields = SearchConfig.model_fields
    shown = {name: fields[name].get_default() for name in LAUNCHPAD}
    return gpu_job(search_documents_job, {"ops": {"match_query_documents": {"config": shown}}})


@dg.definitions
def search_jobs() -> dg.Definitions:
    """The job with the tags that the settings ask for."""
    return dg.Definitions(jobs=[search_job()])
