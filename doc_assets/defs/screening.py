"""Every drop against the archive, its cases, the report that a reviewer opens, and the self test after every drop."""

from datetime import UTC, datetime

import dagster as dg

from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.defs import tables
from doc_assets.defs.changes import ThresholdsConfig
from doc_assets.defs.lineage import drop_asset, drops
from doc_assets.defs.links import cases_link
from doc_assets.defs.step import Materialized, step
from doc_assets.pipeline.relabel import by_drop
from doc_assets.pipeline.reviewing import Weights, file_cases
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.self_test import planted_recall
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.reports.stored_results import write_result_files
from doc_assets.runtime import Runtime
from doc_assets.search.completeness import published_collection, require_collection, shortfall, what_is_lacking
from doc_assets.search.matching import Verifier
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
    context: dg.AssetExecutionContext, config: ThresholdsConfig, runtime: dg.ResourceParam[Runtime]
) -> Materialized:
    """Which documents of the drop re-use a photo, and of which document; the whole archive and the drop itself count.

    Results live in the ledger (``searches``, ``search_results``) under ``drop:<key>``. Materialize it again to compare
    the drop with what has arrived since.
    """
    workers = runtime.settings.decode_workers
    with step(context), runtime.archive() as archive, Workers(workers) as threads:
        asked = config.of(runtime)
        versions, searches = asked.versions(), archive.ledger.searches
        queries = StoredQueries(archive, versions, asked.embedder(), asked.describer(), threads)
        with runtime.store() as store:
            require_collection(archive.ledger, store, runtime.alias)
        report = screen_drop(
            archive,
            runtime.store,
            runtime.alias,
            queries,
            Verifier.of(archive, versions.features_id, asked.pair_model(versions.embedder_id)),
            asked.request(include_batch=False, privacy_mode=False),
            context.partition_key,
        )
        ranking = tables.ranking(archive.ledger, searches.results(report.search_id))
        changed = tables.changed_findings(archive.ledger, searches.changes(report.search_id))
        with runtime.store() as store:
            short = shortfall(archive.ledger, store, searches.get(report.search_id).collection)
        searches.note_incomplete(report.search_id, short)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.documents,
            "flagged": report.flagged,
            "changed_in_other_drops": report.changed,
            "photos_in_archive": report.photos_in_archive,
            "screened_now": report.screened_now,
            "documents_per_second": round(report.screened_now / report.seconds, 2) if report.screened_now else 0.0,
            "ranking": ranking,
            "changed_findings": changed,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="whole_archive_was_searched",
                passed=short is None,
                description=short or f"{report.photos_in_archive} photos, as many as the ledger counts.",
            )
        ],
    )


@drop_asset(
    "screening",
    deps=["document_matches"],
    kinds={"sqlalchemy"},
    check=("every_flagged_document_has_a_case", "The review desk asks about each document that was flagged."),
)
def review_cases(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Materialized:
    """What the review desk has to judge: a case for every document with a photo that counts, in the order of urgency.

    Verdicts hang on photos, not on results: screening again reopens nothing, a pair that is new does.
    """
    with step(context), runtime.archive() as archive:
        report = file_cases(archive, context.partition_key, datetime.now(UTC), Weights(), runtime.second_review)
    n_left = len(report.without_case)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": report.documents,
            "opened": len(report.filed.opened),
            "reopened": len(report.filed.reopened),
            "ended": len(report.filed.ended),
            **cases_link(runtime, context.partition_key),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_flagged_document_has_a_case",
                passed=not n_left,
                description=f"{n_left} flagged documents have no case: numbers "
                f"{', '.join(map(str, report.without_case[:20]))}."
                if n_left
                else f"{report.documents} cases.",
            )
        ],
    )


@drop_asset("screening", deps=["document_matches"], kinds={"html", "excel"})
def drop_report(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Materialized:
    """What a reviewer opens: the drop's documents by risk, with reasons and pictures, as HTML, JSON, CSV and XLSX.

    Files live in ``results/drops/<key>/``; ``report.html`` comes first.
    """
    key = context.partition_key
    folders, left_out = runtime.settings.results_dir / "drops", runtime.settings.remove_columns_from_results
    with step(context), runtime.archive() as archive, runtime.reader() as reader:
        searches = archive.ledger.searches
        search = searches.get(search_id_of(key))
        results, changed = searches.results(search.search_id), searches.changes(search.search_id)
        files, page = write_result_files(archive, reader, search, folders / key, left_out)
        for drop, documents in sorted(by_drop(changed).items()):
            other = searches.get(search_id_of(drop))
            if (folders / drop).is_dir():
                write_result_files(archive, reader, other, folders / drop, left_out, documents)
    lacking = what_is_lacking([result for result in results if result.state != "rejected"])
    if lacking:  # the rejected ones are a check of their own
        raise dg.Failure(description=f"{lacking} Everything else is in {page}.", allow_retries=False)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(results),
            "flagged": sum(result.flagged for result in results),
            "report": dg.MetadataValue.path(str(page)),
            "dagster/uri": page.parent.absolute().as_uri(),
            **cases_link(runtime, key),
            "changed_in_other_drops": len(changed),
            "summary": dg.MetadataValue.path(str(files.summary)),
            "xlsx": dg.MetadataValue.path(str(files.table_xlsx)),
        }
    )


@dg.asset_check(asset=document_matches, partitions_def=drops)
def planted_copy_is_found(
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """Photos of the archive, attacked in memory, are found again; which ones depends on the drop's key.

    Nothing of them is kept. The share found is metadata, in all and by attack, so that Dagster plots it over time.
    """
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    settings = runtime.settings
    with step(context), runtime.archive() as archive, runtime.store() as store:
        collection = published_collection(store, runtime.alias, runtime.versions().collection)
        recall = planted_recall(runtime, archive, store, collection, seed)
    return dg.AssetCheckResult(
        passed=recall.total >= settings.self_test_warn,
        severity=dg.AssetCheckSeverity.ERROR if recall.total < settings.self_test_fail else dg.AssetCheckSeverity.WARN,
        description=f"{sum(recall.found.values())} of {sum(recall.planted.values())} planted copies were found"
        + (f"; missed: {', '.join(recall.missed)}." if recall.missed else "."),
        metadata={
            "recall": round(recall.total, 4),
            "planted": sum(recall.planted.values()),
            **{f"recall: {name}": round(recall.found.get(name, 0) / n, 4) for name, n in recall.planted.items()},
        },
    )
