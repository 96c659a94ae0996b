import subprocess
import sys

import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.defs.changes import EmbedderConfig, ExtractorConfig, ThresholdsConfig
from doc_assets.defs.search import SearchConfig
from doc_assets.errors import SettingsError
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
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
    with Ledger.open(runtime.settings.ledger_address):
        assert runtime.embedder_spec() == of_settings

    assert pinned.embedder_spec() == EmbedderSpec("transformers", {"checkpoint": "vit"})
    assert pinned.changed(max_features=60).embedder_spec() == pinned.embedder_spec()
    assert pinned.with_embedder(None).embedder_spec() == of_settings
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
