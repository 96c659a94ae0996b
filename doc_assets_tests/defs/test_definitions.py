import os
import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest

from doc_assets.definitions import defs
from doc_assets.settings import Settings
from doc_assets_tests.shared import PROJECT

JOBS = {
    "backup_job",
    "fill_collection_job",
    "forget_documents_job",
    "ingest_drop_job",
    "ingest_key_table_job",
    "maintenance_job",
    "refit_job",
    "review_report_job",
    "review_report_month_job",
    "screen_drop_job",
    "search_documents_job",
    "switch_collection_job",
}


@pytest.fixture(scope="module")
def loaded():
    return defs()


def test_the_definitions_can_be_loaded(loaded):
    dg.Definitions.validate_loadable(loaded)


def test_the_lineage_reads_as_the_design_says(loaded):
    graph = loaded.resolve_asset_graph()
    lineage = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }

    assert lineage == {
        "documents": [],
        "photos": ["documents"],
        "photo_embeddings": ["photos"],
        "local_features": ["photos"],
        "indexed_photos": ["local_features", "photo_embeddings"],
        "photo_collection": ["indexed_photos"],
        "document_matches": ["indexed_photos", "photo_collection"],
        "review_cases": ["document_matches"],
        "drop_report": ["document_matches"],
        "review_report": ["review_cases"],
        "review_report_month": ["review_cases"],
    }
    assert {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()} == {
        "documents": "ingestion",
        "photos": "ingestion",
        "photo_embeddings": "ingestion",
        "local_features": "ingestion",
        "indexed_photos": "ingestion",
        "photo_collection": "ingestion",
        "document_matches": "screening",
        "review_cases": "screening",
        "drop_report": "screening",
        "review_report": "screening",
        "review_report_month": "screening",
    }


def test_checks_jobs_schedules_and_sensors_are_all_there(loaded):
    graph = loaded.resolve_asset_graph()

    assert sorted(key.name for key in graph.asset_check_keys) == [
        "ann_agrees_with_exact",
        "collection_matches_ledger",
        "every_flagged_document_has_a_case",
        "every_photo_has_one_embedding",
        "every_photo_is_described",
        "photos_per_document_in_range",
        "planted_copy_is_found",
        "rejected_share_is_low",
        "whole_archive_was_searched",
    ]
    jobs = {job.name for job in loaded.resolve_all_job_defs() if not job.name.startswith("__")}
    assert jobs == JOBS
    assert sorted(sensor.name for sensor in loaded.sensors) == [
        "abandoned_runs_sensor",
        "failure_alert_sensor",
        "key_table_sensor",
        "new_tif_sensor",
        "reindex_sensor",
    ]
    assert sorted(schedule.name for schedule in loaded.schedules) == [
        "backup_schedule",
        "maintenance_schedule",
        "nightly_reindex_schedule",
        "review_report_month_schedule",
        "review_report_schedule",
    ]


def test_a_check_of_a_drop_keeps_its_result_when_the_next_drop_passes(loaded):
    graph = loaded.resolve_asset_graph()

    of_the_collection = {key.name for key in graph.asset_check_keys if graph.get(key).partitions_def is None}

    assert of_the_collection == {"ann_agrees_with_exact", "collection_matches_ledger"}


def test_a_collection_that_no_drop_reached_for_days_is_seen(loaded):
    policy = loaded.resolve_asset_graph().get(dg.AssetKey("photo_collection")).freshness_policy

    assert policy.warn_window.to_timedelta() < policy.fail_window.to_timedelta() == timedelta(days=15)


def test_everything_people_see_is_described_and_owned(loaded):
    graph = loaded.resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert len(node.description or "") > 40
        assert node.owners == ["team:verification"]
        assert node.kinds
    assert all(sensor.description for sensor in loaded.sensors)
    assert all(loaded.resolve_job_def(name).description for name in JOBS)


def test_the_launchpad_shows_every_option_with_a_default_and_a_meaning(loaded):
    from doc_assets.defs.intake import KeyTableConfig
    from doc_assets.defs.maintenance import MaintenanceConfig, RefitConfig
    from doc_assets.defs.search import SearchConfig

    configs = (SearchConfig, RefitConfig, KeyTableConfig, MaintenanceConfig)
    for name, field in [item for config in configs for item in config.model_fields.items()]:
        assert not field.is_required(), name
        assert field.description, name
        assert field.get_default() is not None, name


def test_no_secret_is_a_field_of_a_resource(monkeypatch):
    from doc_assets.defs.resources import runtime
    from doc_assets.runtime import Runtime

    monkeypatch.setenv("DOC_ASSETS_QDRANT_URL", "http://qdrant:6333")
    monkeypatch.setenv("DOC_ASSETS_QDRANT_API_KEY", "hunter2")
    monkeypatch.setenv("DOC_ASSETS_LEDGER_URL", "postgresql+psycopg2://app:hunter2@db/ledger")

    assert runtime.config_schema.as_field().is_required is False
    assert "hunter2" not in repr(runtime) + repr(Runtime(Settings()))


@pytest.mark.whole
def test_loading_imports_nothing_heavy_because_every_run_pays_for_it():
    heavy = ["torch", "transformers", "cv2", "pandas", "qdrant_client", "qdrant_edge", "alembic", "tifffile", "httpx"]
    program = (
        "import sys; import doc_assets.definitions as d; d.defs();"
        f"print(len(sys.modules), [m for m in {heavy} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    n_modules, modules = run.stdout.strip().split(" ", 1)

    assert modules == "[]"
    assert int(n_modules) < 1800  # 1,400 take 1.2 CPU seconds; seconds themselves depend on who else is at work


@pytest.mark.parametrize("variable", ["DOC_ASSETS_GPU_RUN_TAGS", "DOC_ASSETS_CARD_RUN_TAGS"])
def test_jobs_that_may_use_a_gpu_carry_the_tags_that_the_settings_ask_for(monkeypatch, variable):
    monkeypatch.setenv(variable, '{"site/gpu": "yes"}')

    tagged = {job.name for job in defs().resolve_all_job_defs() if job.tags.get("site/gpu") == "yes"}

    assert tagged == {
        "fill_collection_job",
        "ingest_drop_job",
        "refit_job",
        "screen_drop_job",
        "search_documents_job",
    }


@pytest.mark.whole
def test_settings_are_read_when_definitions_are_built_and_not_when_modules_are_imported():
    program = (
        "import django, importlib, pkgutil, doc_assets\n"
        "from django.conf import settings\n"  # pages of the desk have models and forms as soon as they are imported
        "settings.configure(INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'allauth',"
        " 'django.contrib.sessions', 'allauth.account', 'allauth.mfa', 'allauth.usersessions'],"
        " MIDDLEWARE=['allauth.account.middleware.AccountMiddleware'])\n"
        "django.setup()\n"
        "for module in pkgutil.walk_packages(doc_assets.__path__, 'doc_assets.'):\n"
        "    if not module.name.endswith('.migrations.env'):  # a script that Alembic runs\n"
        "        importlib.import_module(module.name)\n"
        "from doc_assets.definitions import defs\n"
        "print('imported', flush=True)\n"
        "defs()\n"
    )
    environment = {**os.environ, "DOC_ASSETS_COLOUR": "red"}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )

    assert run.stdout.strip() == "imported", run.stderr
    assert run.returncode == 1
    assert "Unknown setting DOC_ASSETS_COLOUR" in run.stderr
