"""Assets ``document_matches`` and ``drop_report``."""

from pathlib import Path

import dagster as dg

from doc_assets.archive.ledger.incomplete import note_incomplete
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.archive.photo_lookup import FeatureLookup, PixelLookup
from doc_assets.defs import tables
from doc_assets.defs.partitions import drop_asset
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    ReaderResource,
    SearchDefaultsResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.relabel import by_drop
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.reports.stored_results import write_result_files
from doc_assets.search.completeness import require_collection, shortfall
from doc_assets.search.faults import what_is_lacking
from doc_assets.util.threads import Workers


@drop_asset(
    "screening",
    deps=["indexed_photos", "photo_collection"],
    kinds={"qdrant", "opencv"},
    check=(
        "whole_archive_was_searched",
        "The collection held every photo that the ledger counts; otherwise a re-use may be missed.",
    ),
)
def document_matches(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
    search_defaults: SearchDefaultsResource,
) -> Materialized:
    """Which documents of the drop re-use a photo, and of which document; the whole archive and the drop itself count.

    Results live in the ledger (``searches``, ``search_results``) under ``drop:<key>``. Materialize it again to compare
    the drop with what has arrived since.
    """
    with step(context), archive.open() as opened, Workers(describer.workers) as threads:
        versions = versions_in_use(photo_cutter, embedder, describer)
        queries = StoredQueries(opened, versions, embedder.load(), describer.load(), threads)
        with vector_store.open() as store:
            require_collection(opened.ledger, store, vector_store.alias)
        report = screen_drop(
            opened,
            vector_store.open,
            vector_store.alias,
            queries,
            FeatureLookup(opened, versions.features_id),
            PixelLookup(opened),
            search_defaults.model(versions.embedder_id),
            search_defaults.request(include_batch=False, privacy_mode=False),
            context.partition_key,
        )
        results = opened.ledger.searches.results(report.search_id)
        changed = opened.ledger.searches.changes(report.search_id)
        with vector_store.open() as store:
            short = shortfall(opened.ledger, store, opened.ledger.searches.get(report.search_id).collection)
        note_incomplete(opened.ledger.database, report.search_id, short)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.documents,
            "flagged": report.flagged,
            "changed_in_other_drops": report.changed,
            "photos_in_archive": report.photos_in_archive,
            "screened_now": report.screened_now,
            "documents_per_second": report.screened_now / report.seconds if report.screened_now else 0.0,
            "ranking": tables.ranking(results),
            "changed_findings": tables.changed_findings(changed),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="whole_archive_was_searched",
                passed=short is None,
                description=short or f"{report.photos_in_archive} photos, as many as the ledger counts.",
            )
        ],
    )


@drop_asset("screening", deps=["document_matches"], kinds={"html", "excel"})
def drop_report(
    context: dg.AssetExecutionContext,
    archive: ArchiveResource,
    reader: ReaderResource,
    search_defaults: SearchDefaultsResource,
) -> Materialized:
    """What a reviewer opens: the drop's documents by risk, with reasons and pictures, as HTML, JSON, CSV and XLSX.

    Files live in ``results/drops/<key>/``; ``report.html`` comes first.
    """
    key = context.partition_key
    folders_of_drops = Path(search_defaults.results_folder) / "drops"
    folder = folders_of_drops / key
    with step(context), archive.open() as opened, reader.open() as decoder:
        searches = opened.ledger.searches
        search = searches.get(search_id_of(key))
        results, changed = searches.results(search.search_id), searches.changes(search.search_id)
        files, page = write_result_files(opened, decoder, search, folder, search_defaults.remove_columns)
        for drop, documents in sorted(by_drop(changed).items()):
            other = searches.get(search_id_of(drop))
            if (folders_of_drops / drop).is_dir():
                write_result_files(
                    opened, decoder, other, folders_of_drops / drop, search_defaults.remove_columns, documents
                )
    lacking = what_is_lacking([result for result in results if result.state != "rejected"])
    if lacking:  # the rejected ones are a check of their own
        raise dg.Failure(description=f"{lacking} Everything else is in {page}.", allow_retries=False)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(results),
            "flagged": sum(result.flagged for result in results),
            "report": dg.MetadataValue.path(str(page)),
            "changed_in_other_drops": len(changed),
            "summary": dg.MetadataValue.path(str(files.summary)),
            "xlsx": dg.MetadataValue.path(str(files.table_xlsx)),
        }
    )
