import subprocess
import sys

import pytest

from doc_assets.archive.ledger.collections import Collection
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.verdicts import SecondReview
from doc_assets.defs.changes import EmbedderConfig, ExtractorConfig, ThresholdsConfig
from doc_assets.defs.search import SearchConfig
from doc_assets.errors import SettingsError
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.reading.preflight import Limits
from doc_assets.reading.sandbox import ReaderLimits
from doc_assets.runtime import Runtime, _finder
from doc_assets.settings import Settings
from doc_assets.sources.dates import DateRule
from doc_assets.sources.document_api import ApiOptions
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import TableLayout
from doc_assets.sources.open_sources import SourceRules
from doc_assets_tests.conftest import NOW
from doc_assets_tests.shared import PROJECT


@pytest.fixture
def runtime(tmp_path):
    return Runtime(Settings(home=tmp_path, max_pages=7))


def test_a_runtime_imports_neither_dagster_nor_models():
    heavy = ["dagster", "torch", "transformers", "cv2", "pandas", "qdrant_client", "qdrant_edge", "alembic", "httpx"]
    program = f"import sys, doc_assets.runtime; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_weights_are_loaded_once_for_a_process(runtime, tmp_path):
    other = Runtime(Settings(home=tmp_path / "other"))

    assert runtime.embedder() is other.embedder()
    assert runtime.describer() is other.describer()
    assert runtime.pair_model(None) is other.pair_model(None)
    assert runtime.changed(max_features=60).describer() is not other.describer()


def test_changes_of_settings_are_checked_and_leave_the_others(runtime):
    assert runtime.changed() is runtime
    assert runtime.changed(max_features=60).settings.max_pages == 7
    assert runtime.settings.max_features == 400
    with pytest.raises(SettingsError, match="DOC_ASSETS_MAX_FEATURES=1"):
        runtime.changed(max_features=1)


def test_settings_of_sources_reach_them_one_and_all(tmp_path):
    runtime = Runtime(
        Settings(
            home=tmp_path,
            log_dir=tmp_path / "log",
            log_max_bytes=1 << 17,
            intake_ignore=["*.bak"],
            key_table=tmp_path / "keys.csv",
            key_column="name",
            key_merchant_column="merchant",
            key_fields=["address"],
            key_date_columns=["visited"],
            key_sheet="2",
            key_tail_len=3,
            key_insert_token="9",
            key_glob_suffix="-*.tif",
            search_roots=["/archive"],
            search_any_depth=False,
            document_api_url="http://documents/images",
            document_api_key="secret",
            document_api_payload="url",
            document_api_image_field="image",
            document_api_url_field="address",
            document_api_name_field="name",
            document_api_params={"merchant": "shop"},
            document_api_timeout_s=7,
            document_api_tries=2,
            date_name_patterns=[r"\d{8}"],
            timezone="Europe/Berlin",
        )
    )

    assert runtime.dates == DateRule(("visited",), (r"\d{8}",), "Europe/Berlin")
    assert runtime.source_rules == SourceRules(
        index=tmp_path / "file_index.sqlite",
        failed_log=tmp_path / "log" / "failed_requests.log",
        failed_log_bytes=1 << 17,
        layout=TableLayout("name", "merchant", ("address",), "2", ("visited",)),
        naming=NameRule(3, "9", "-*.tif"),
        roots=("/archive",),
        any_depth=False,
        api=ApiOptions(
            "http://documents/images", "secret", "url", "image", "address", "name", {"merchant": "shop"}, 7.0, 2
        ),
        key_table=tmp_path / "keys.csv",
        ignore=("*.bak",),
    )


def test_settings_of_reading_cutting_and_review_reach_them_one_and_all(tmp_path):
    runtime = Runtime(
        Settings(
            home=tmp_path,
            max_pages=3,
            max_page_px=4000,
            max_document_px=5000,
            max_file_bytes=6000,
            decode_memory_bytes=7 << 27,
            decode_timeout_s=8,
            decode_timeout_per_page_s=9,
            decode_workers=2,
            photo_max_side_px=100,
            photo_jpeg_quality=80,
            review_second_for_fraud=False,
            review_second_share=0.25,
        )
    )

    with runtime.reader() as reader:
        assert reader.limits == ReaderLimits(Limits(3, 4000, 5000), 6000, 7 << 27, 8.0, 9.0)
        assert reader.threads.n == 2
    cutter = runtime.cutter()
    assert (cutter.max_side_px, cutter.jpeg_quality, cutter.pages) == (100, 80, None)
    assert runtime.second_review == SecondReview(fraud=False, share=0.25)


def test_settings_of_pages_by_text_reach_their_finder_one_and_all(tmp_path, monkeypatch):
    monkeypatch.setattr("doc_assets.runtime.make_finder", lambda **options: options)
    runtime = Runtime(
        Settings(
            home=tmp_path,
            page_selector="text",
            page_text_wanted="pictures of the shop",
            page_text_mode="all_words",
            page_text_zones=["bottom=0.25"],
            page_text_max_errors=2,
            page_text_engine_options={"lang": "eng"},
            page_text_timeout_s=3,
        )
    )

    assert runtime.cutter().pages == {
        "wanted": "pictures of the shop",
        "mode": "all_words",
        "max_errors": 2,
        "zones": ["bottom=0.25"],
        "engine": "tesseract",
        "engine_options": {"lang": "eng"},
        "timeout_s": 3.0,
    }
    _finder.cache_clear()


def test_what_a_run_leaves_empty_is_as_the_settings_say(runtime):
    for config in (ExtractorConfig(), EmbedderConfig(), ThresholdsConfig(), SearchConfig()):
        assert config.of(runtime).settings == runtime.settings


def test_the_leads_report_shows_no_column_that_results_leave_out(runtime):
    columns = ["보낸 곳", "지점", "조사자"]
    named = runtime.changed(key_fields=columns, report_sender_column=columns[0], report_group_columns=columns[1:])
    left_out = named.changed(remove_columns_from_results=["보낸 곳", "조사자"])

    assert (named.report_columns.sender, named.report_columns.groups) == ("보낸 곳", ("지점", "조사자"))
    assert (left_out.report_columns.sender, left_out.report_columns.groups) == ("", ("지점",))


def test_a_run_takes_what_its_config_says(runtime):
    extracting = ExtractorConfig(photo_extractor="template").of(runtime).settings
    embedding = EmbedderConfig(device="cpu", embed_batch_size=3).of(runtime).settings
    judging = ThresholdsConfig(match_probability=0.75, flag_risk=0.25).of(runtime).request()
    searching = SearchConfig(match_probability=0.75, top_k=3)
    asked = searching.request(searching.of(runtime), "run")

    assert extracting.photo_extractor == "template"
    assert (embedding.device, embedding.embed_batch_size) == ("cpu", 3)
    assert (judging.match_probability, judging.flag_risk) == (0.75, 0.25)
    assert (asked.match_probability, asked.flag_risk, asked.top_k) == (0.75, 0.5, 3)
    assert asked.output_folder == str(runtime.settings.results_dir / "run")
    with pytest.raises(SettingsError, match="DOC_ASSETS_DEVICE='toaster'"):
        EmbedderConfig(device="toaster").of(runtime)


def test_the_archives_embedder_counts_unless_a_run_names_another(runtime):
    of_settings = EmbedderSpec("gist", {})
    pinned = EmbedderConfig(embedder="transformers", embedder_options={"checkpoint": "vit"}, device="cpu").of(runtime)
    with Ledger.open(runtime.settings.ledger_address) as ledger:
        assert runtime.embedder_spec() == of_settings
        in_use = EmbedderSpec("transformers", {"checkpoint": "first"})
        ledger.collections.record(Collection("photos", in_use.name, in_use.options, "in_use", NOW))

    assert runtime.embedder_spec() == in_use
    assert pinned.embedder_spec() == EmbedderSpec("transformers", {"checkpoint": "vit"})
    assert pinned.changed(max_features=60).embedder_spec() == pinned.embedder_spec()
    assert pinned.with_embedder(None).embedder_spec() == in_use
    assert pinned.with_embedder(None).settings.device == "cpu"


@pytest.mark.whole
def test_commands_that_start_no_run_import_neither_dagster_nor_models(tmp_path):
    (tmp_path / "keys.csv").write_text("파일명\nN7THA00001\n", encoding="utf-8")
    commands = [
        ["--help"],
        ["status"],
        ["check"],
        ["list-documents"],
        ["form-pictures"],
        ["relabel"],
        ["export-results", "--output", "out.csv"],
        ["resolve-keys", "--key-table", "keys.csv", "--search-root", "."],
        ["maintain", "--dry-run"],
        ["config", "show"],
    ]
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from doc_assets.cli import app\n"
        "print([m for m in ('dagster', 'sqlalchemy', 'numpy') if m in sys.modules])\n"
        f"print([c for c in {commands} if CliRunner().invoke(app, c).exit_code not in (0, 1)])\n"
        "print([m for m in ('dagster', 'torch', 'transformers', 'pandas') if m in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert run.stdout.splitlines() == ["[]", "[]", "[]"]
