"""What containers of runs hold: they decode what strangers send."""

import importlib.util
import json
import re

import pytest
import yaml

from doc_assets_tests.shared import PROJECT

SECRETS = ["dagster_password", "ledger_password", "ledger_migrator_password", "ledger_reader_password"]
SECRETS += ["desk_password", "desk_secret", "desk_proxy_secret"]
SECRETS += ["qdrant_api_key", "document_api_key", "image_api_key", "alert_webhook_token", "s3_secret_key"]
ALWAYS = {"dagster_password", "ledger_password"}
"""A run writes events of Dagster and rows of the ledger."""
ALL_SERVERS = {"DOC_ASSETS_QDRANT_URL": "http://qdrant:6333", "DOC_ASSETS_DOCUMENT_API_URL": "http://documents/images"}
RECEIVER = {"DOC_ASSETS_ALERT_WEBHOOK_URL": "https://alerts.example.org/of-the-receiver-only-here"}
RECEIVER["DOC_ASSETS_ALERT_WEBHOOK_ALLOWED"] = '["https://alerts.example.org"]'


def value_of(name):
    """What stands in a secret file of the test."""
    return (
        f"{name[::-1]}-0123456789abcdef".replace("password", "").replace("drowssap", "word-of").replace("terces", "s3")
    )


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Runs the program of the service ``configure``; answers with the folders it lays out."""
    spec = importlib.util.spec_from_file_location("configure", PROJECT / "deploy" / "stack" / "configure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folders = {name: tmp_path / name for name in ("given", "config", "migrate", "runs", "desk", "away")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    module.GIVEN, module.MACHINE_DIR = folders["given"], folders["config"]
    module.MIGRATE_DIR, module.RUNS_DIR, module.DESK_DIR = folders["migrate"], folders["runs"], folders["desk"]
    monkeypatch.setattr("doc_assets.settings.MACHINE_DIR", folders["config"])
    monkeypatch.chdir(folders["away"])

    def run(empty=(), **environment):
        for name in SECRETS:
            (folders["given"] / name).write_text("" if name in empty else value_of(name), encoding="utf-8")
        base = {"STACK_POSTGRES_HOST": "postgres", "STACK_POSTGRES_PORT": "5432"}
        for name in [*ALL_SERVERS, *RECEIVER, "STACK_S3_ACCESS_KEY"]:
            monkeypatch.delenv(name, raising=False)
        for name, value in {**base, **environment}.items():
            monkeypatch.setenv(name, value)
        assert module.main() == 0
        return folders

    return run


def secrets_in(folder):
    """Names of the secrets whose values stand in files of a folder."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    return {name for name in SECRETS if value_of(name) in text}


@pytest.mark.parametrize(
    ("environment", "more"),
    [
        ({}, set()),
        (RECEIVER, set()),
        ({"DOC_ASSETS_QDRANT_URL": ALL_SERVERS["DOC_ASSETS_QDRANT_URL"]}, {"qdrant_api_key"}),
        ({"DOC_ASSETS_DOCUMENT_API_URL": ALL_SERVERS["DOC_ASSETS_DOCUMENT_API_URL"]}, {"document_api_key"}),
        ({"STACK_S3_ACCESS_KEY": "AKIA0123456789"}, {"s3_secret_key"}),
        (
            {**ALL_SERVERS, **RECEIVER, "STACK_S3_ACCESS_KEY": "AKIA0123456789"},
            {"qdrant_api_key", "document_api_key", "s3_secret_key"},
        ),
    ],
)
def test_runs_hold_the_keys_that_they_need_and_no_other(configure, environment, more):
    without = () if "STACK_S3_ACCESS_KEY" in environment else ("s3_secret_key",)
    folders = configure(without, **environment)

    assert secrets_in(folders["runs"]) == ALWAYS | more
    assert "of-the-receiver" not in (folders["runs"] / "settings.env").read_text(encoding="utf-8")
    of_desk = {"desk_password", "desk_secret", "desk_proxy_secret"}
    whole = set(SECRETS) - {"ledger_migrator_password", *of_desk, *without}
    assert secrets_in(folders["config"]) == whole
    assert secrets_in(folders["desk"]) == {"dagster_password", *of_desk, *more}
    assert secrets_in(folders["migrate"]) == {"dagster_password", "ledger_migrator_password"}
    for path in folders["runs"].rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.is_dir(), path


def test_a_key_that_is_no_longer_needed_is_taken_away(configure):
    first = configure(("s3_secret_key",), **ALL_SERVERS)
    assert {"qdrant_api_key", "document_api_key"} < secrets_in(first["runs"])

    assert secrets_in(configure(("s3_secret_key",))["runs"]) == ALWAYS


def test_runs_read_the_same_settings_as_the_code_server(configure, monkeypatch):
    from doc_assets.settings import load_settings

    folders = configure(("s3_secret_key",), **ALL_SERVERS, DOC_ASSETS_FLAG_RISK="0.7")
    for name in ALL_SERVERS:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DOC_ASSETS_FLAG_RISK")
    monkeypatch.setattr("doc_assets.settings.MACHINE_DIR", folders["runs"])
    settings = load_settings()

    assert settings.flag_risk == 0.7
    assert settings.qdrant_api_key.get_secret_value() == value_of("qdrant_api_key")
    assert settings.document_api_key.get_secret_value() == value_of("document_api_key")
    assert settings.image_api_key is None
    assert settings.alert_webhook_token is None


# --- what else a container of a run gets


def compose():
    return yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))


def run_context():
    text = compose()["services"]["user-code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"]
    return json.loads(re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", text))["docker"]


def test_every_variable_and_volume_of_a_run_is_listed_here_with_its_use():
    context = run_context()
    kwargs = context["container_kwargs"]
    uses = {
        "doc-assets_config-runs:/etc/doc-assets:ro": "settings, and the keys above",
        "doc-assets_home:/var/lib/doc-assets": "documents, photos, vectors, Dagster's outputs",
        "doc-assets_results:/var/lib/doc-assets/results": "reports",
        "doc-assets_logs:/var/log/doc-assets": "logs",
        "doc-assets_inbox:/inbox:ro": "what is dropped",
        "doc-assets_queries:/queries:ro": "what is searched for",
        "doc-assets_uploads:/var/lib/doc-assets/uploads:ro": "what people of the review desk search for",
        "doc-assets_archive:/archive:ro": "what keys lead to",
    }

    assert context["env_vars"] == ["DAGSTER_PG_URL", "DAGSTER_EVENT_BATCH_SIZE=20"]  # an address without a password
    assert "passfile=" in compose()["x-settings"]["environment"]["DAGSTER_PG_URL"]
    assert set(kwargs["volumes"]) == set(uses)
    assert context["networks"] == ["doc-assets_data"]
    assert not {"environment", "env_file", "secrets", "mounts", "devices", "privileged", "cap_add"} & set(kwargs)


def test_web_servers_and_the_daemon_hold_no_more_than_runs():
    services = compose()["services"]
    for name in ("webserver", "webserver-view", "daemon"):
        sources = {mount["source"] for mount in services[name]["volumes"]}
        assert sources == {"config-runs", "logs"}, name
        assert "secrets" not in services[name]


def test_every_secret_of_the_settings_is_given_to_runs_or_kept_from_them_here():
    from pydantic import SecretStr

    from doc_assets.settings import Settings

    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert SecretStr.__name__ in str(Settings.model_fields["qdrant_api_key"].annotation)
    kept = {"image_api_key", "alert_webhook_token", "desk_secret", "desk_proxy_secret"}
    given = {"qdrant_api_key", "document_api_key"}
    by_passfile = {"ledger_url"}
    assert secret == kept | given | by_passfile


def test_pods_of_runs_get_two_keys():
    text = (PROJECT / "deploy" / "k8s" / "dagster-values.yaml").read_text(encoding="utf-8")

    assert set(re.findall(r"path: secrets/(\w+)", text)) == {"doc_assets_ledger_url", "doc_assets_qdrant_api_key"}
