import re

import pytest

from doc_assets import settings as settings_module
from doc_assets.errors import SettingsError
from doc_assets.settings import PREFIX, Settings, load_settings
from doc_assets_tests.shared import PROJECT

EXAMPLE = (PROJECT / ".env.example").read_text(encoding="utf-8")


def test_a_misspelt_variable_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_EMBEDER", "gist")

    with pytest.raises(SettingsError, match="DOC_ASSETS_EMBEDER"):
        load_settings()


def test_a_misspelt_variable_in_the_env_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("DOC_ASSETS_TOPK=3\nOTHER_PROGRAM=1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError, match="DOC_ASSETS_TOPK") as error:
        load_settings()

    assert "OTHER_PROGRAM" not in str(error.value)


def test_a_machine_has_settings_and_secrets_of_its_own_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / "settings.env").write_text("DOC_ASSETS_MAX_PAGES=7\nDOC_ASSETS_FLAG_RISK=0.9\n", encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "doc_assets_qdrant_api_key").write_text("from a file\n", encoding="utf-8")
    monkeypatch.setattr(settings_module, "MACHINE_DIR", tmp_path)
    monkeypatch.setenv("DOC_ASSETS_FLAG_RISK", "0.25")

    settings = load_settings()

    assert (settings.max_pages, settings.flag_risk) == (7, 0.25)
    assert settings.qdrant_api_key is not None
    assert settings.qdrant_api_key.get_secret_value() == "from a file"


def test_a_misspelt_variable_in_the_machines_settings_is_refused(monkeypatch, tmp_path):
    (tmp_path / "settings.env").write_text("DOC_ASSETS_MAX_PAGE=7\n", encoding="utf-8")
    monkeypatch.setattr(settings_module, "MACHINE_DIR", tmp_path)

    with pytest.raises(SettingsError, match="DOC_ASSETS_MAX_PAGE"):
        load_settings()


def test_a_value_out_of_range_names_variable_and_value(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_PHOTO_JPEG_QUALITY", "101")

    with pytest.raises(SettingsError, match="DOC_ASSETS_PHOTO_JPEG_QUALITY='101'"):
        load_settings()


def test_the_home_moves_all_state(monkeypatch, tmp_path):
    monkeypatch.setenv("DOC_ASSETS_HOME", str(tmp_path / "elsewhere"))

    settings = load_settings()

    places = [settings.inbox_dir, settings.dagster_home, settings.qdrant_dir, settings.results_dir]
    assert all(place.is_relative_to(tmp_path / "elsewhere") for place in places)
    assert str(tmp_path / "elsewhere") in settings.ledger_address
    assert str(settings.bulk) == str(tmp_path / "elsewhere")


def test_the_password_of_the_ledger_is_not_shown(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_LEDGER_URL", "postgresql+psycopg2://app:hunter2@db/ledger")

    settings = load_settings()

    assert "hunter2" not in repr(settings)
    assert "hunter2" in settings.ledger_address


def test_the_example_file_has_every_setting_once_and_no_other():
    named = re.findall(rf"^#?({PREFIX}[A-Z_0-9]+)=", EXAMPLE, re.MULTILINE)

    assert sorted(named) == sorted(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)


def test_the_example_file_shows_the_defaults(monkeypatch, tmp_path):
    for name in (f"{PREFIX}HOME", f"{PREFIX}LOG_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    defaults = load_settings()
    (tmp_path / ".env").write_text(EXAMPLE, encoding="utf-8")

    assert load_settings() == defaults


def test_a_column_that_does_not_exist_cannot_be_left_out(monkeypatch):
    monkeypatch.setenv("DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS", '["merchant_id", "colour"]')
    with pytest.raises(SettingsError, match="'colour' is no column"):
        load_settings()

    monkeypatch.setenv("DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS", '["query_document"]')
    with pytest.raises(SettingsError, match="query_document"):
        load_settings()

    monkeypatch.setenv("DOC_ASSETS_REMOVE_COLUMNS_FROM_RESULTS", '["merchant_id", "사업자등록번호"]')
    assert load_settings().remove_columns_from_results == ["merchant_id", "사업자등록번호"]
