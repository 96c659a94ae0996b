"""The operator's commands as real processes on a real home."""

import json
import os
import shutil
import stat
from pathlib import Path

import dagster as dg
import pytest
from dotenv import dotenv_values

from doc_assets_tests.features.embedders.tiny_encoders import save_vit
from doc_assets_tests.program import Program
from doc_assets_tests.tiny_hub import COMMIT, running_hub


def run_in(folder, *arguments, **environment):
    """A command in a folder, with no settings but those given and the folder's ``.env``."""
    return Program(folder)(*arguments, **environment)


def json_of(done):
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def work(tmp_path_factory, corpus):
    """A folder with a home of eight documents, one of which was replaced, a rejected one, and a search."""
    folder = tmp_path_factory.mktemp("operations")
    incoming = folder / "in"
    shutil.copytree(corpus / "archive", incoming)
    assert run_in(folder, "init").returncode == 0
    done = run_in(folder, "build-image-index", "--folder", incoming)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = sorted(incoming.iterdir())[:2]
    shutil.copy(second, first)
    (incoming / "broken.tif").write_bytes(b"II*\0")
    assert run_in(folder, "build-image-index", "--folder", incoming).returncode == 1
    assert run_in(folder, "search-doc", "--folder", corpus / "incoming", "--output-folder", "out").returncode == 0
    return folder


def test_init_makes_a_home_and_secrets_once(tmp_path):
    first = run_in(tmp_path, "init", "--home", tmp_path / "my home", "--json")
    env = tmp_path / ".env"
    content = env.read_bytes()
    again = run_in(tmp_path, "init", "--json")

    assert (first.returncode, again.returncode) == (0, 0)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    values = dotenv_values(env)
    assert values["DOC_ASSETS_HOME"] == str(tmp_path / "my home")
    for name in json_of(first)["secrets"]:
        assert len(values[name]) >= 40
        assert values[name] not in first.stdout + again.stdout
    assert json_of(first)["secrets"] == ["DOC_ASSETS_IMAGE_API_KEY"]
    assert {"inbox", "results", "models", "dagster"} <= {path.name for path in (tmp_path / "my home").iterdir()}
    assert env.read_bytes() == content
    assert json_of(again)["made"] == json_of(again)["secrets"] == []
    assert str(env) in json_of(again)["kept"]


def test_two_inits_have_different_secrets(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert run_in(tmp_path / name, "init").returncode == 0

    first, second = (dotenv_values(tmp_path / name / ".env") for name in ("a", "b"))

    assert first["DOC_ASSETS_IMAGE_API_KEY"] != second["DOC_ASSETS_IMAGE_API_KEY"]


def test_init_keeps_a_file_and_a_link_that_are_there_and_refuses_another_home(tmp_path):
    (tmp_path / ".env").write_text("DOC_ASSETS_HOME=mine\n", encoding="utf-8")

    assert run_in(tmp_path, "init").returncode == 0
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "DOC_ASSETS_HOME=mine\n"
    assert (tmp_path / "mine" / "inbox").is_dir()
    refused = run_in(tmp_path, "init", "--home", "other")
    assert (refused.returncode, (tmp_path / "other").exists()) == (2, False)
    assert ".env" in refused.stderr


def test_config_show_names_sources_and_no_secret(tmp_path):
    run_in(tmp_path, "init")
    environment = {
        "DOC_ASSETS_LEDGER_URL": "postgresql+psycopg2://app:hunter2@db/ledger?sslkey=hunter2",
        "DOC_ASSETS_BULK_ROOT": "s3://hunter1:hunter2@bucket/x",
        "DOC_ASSETS_EMBEDDER_OPTIONS": '{"token": "hunter2"}',
        "DOC_ASSETS_PHOTO_JPEG_QUALITY": "",
    }

    done = run_in(tmp_path, "config", "show", "--json", **environment)
    table = run_in(tmp_path, "config", "show", **environment)

    settings = {setting["name"]: setting for setting in json_of(done)}
    assert "hunter2" not in done.stdout + table.stdout
    assert dotenv_values(tmp_path / ".env")["DOC_ASSETS_IMAGE_API_KEY"] not in done.stdout + table.stdout
    assert settings["DOC_ASSETS_LEDGER_URL"]["value"].startswith("postgresql+psycopg2://app:***")
    sources = {name: settings[f"DOC_ASSETS_{name}"]["source"] for name in ("LEDGER_URL", "HOME", "PHOTO_JPEG_QUALITY")}
    assert sources == {"LEDGER_URL": "environment", "HOME": ".env", "PHOTO_JPEG_QUALITY": "default"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMBEDDER", "magic"),
        ("PHOTO_EXTRACTOR", "magic"),
        ("LEDGER_URL", "mysql://host/db"),
        ("BULK_ROOT", "nosuch://bucket"),
        ("TIMEZONE", "Asia/Atlantis"),
        ("MAINTENANCE_CRON", "at night"),
        ("KEY_TABLE", "/no/such/table.xlsx"),
        ("PHOTO_JPEG_QUALITY", "101"),
        ("COLOUR", "red"),
    ],
)
def test_config_validate_names_what_cannot_be_used(tmp_path, name, value):
    done = run_in(tmp_path, "config", "validate", **{f"DOC_ASSETS_{name}": value})

    assert done.returncode == 2
    assert f"DOC_ASSETS_{name}" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_config_validate_is_content_with_the_defaults(tmp_path):
    assert run_in(tmp_path, "config", "validate").returncode == 0


@pytest.mark.slow
def test_the_doctor_is_content_with_a_home_in_use(work):
    done = run_in(work, "doctor", "--json")

    lines = {f"{line['group']}: {line['name']}": line for line in json_of(done)}
    assert (done.returncode, done.stderr) == (0, "")
    assert not [line for line in lines.values() if line["level"] == "red"]
    assert "revision" in lines["ledger: database"]["says"]
    assert "photos is photos__gist" in lines["store: vectors"]["says"]
    assert "4 runs" in lines["dagster: instance"]["says"]
    assert lines["dagster: daemon"]["level"] == "yellow"


def test_the_doctor_makes_nothing_and_goes_on_after_settings_that_cannot_be_read(tmp_path):
    nothing = run_in(tmp_path, "doctor")
    assert nothing.returncode == 1
    assert "doc-assets init" in nothing.stdout
    assert not list(tmp_path.iterdir())

    broken = run_in(tmp_path, "doctor", "--json", DOC_ASSETS_COLOUR="red")
    assert broken.returncode == 2
    assert "DOC_ASSETS_COLOUR" in json_of(broken)[0]["says"]
    assert len(json_of(broken)) > 20


def test_documents_are_listed_by_state(work):
    everything = json_of(run_in(work, "list-documents", "--json"))
    rejected = run_in(work, "list-documents", "--state", "rejected")
    part = json_of(run_in(work, "list-documents", "--json", "--current", "--limit", 3, "--offset", 6))

    assert everything["total"] == 10
    assert "broken.tif" in rejected.stdout
    assert "1 to 1 of 1" in rejected.stdout
    assert (part["total"], len(part["documents"])) == (8, 2)
    assert run_in(work, "list-documents", "--state", "lost").returncode == 2


def test_a_document_tells_its_whole_story(work, plans):
    name = sorted(path.name for path in (work / "in").iterdir())[0]
    story = json_of(run_in(work, "show", name, "--json"))

    assert [arrival["document"]["is_current"] for arrival in story["arrivals"]] == [False, True]
    assert [arrival["drop"]["drop_key"] for arrival in story["arrivals"]] == ["bulk-000001", "bulk-000002"]
    files = story["arrivals"][1]["files"]
    assert [file["what"] for file in files] == ["copy", "photos", "embeddings", "local_features"]
    assert all(file["exists"] and Path(file["path"]).is_file() for file in files)
    assert len(story["photos"]) == story["arrivals"][1]["document"]["n_photos"] > 0
    assert all(photo["page"] >= 1 and len(photo["box"]) == 4 for photo in story["photos"])

    source = next(plan.reuse.source_document for plan in plans if plan.reuse and plan.reuse.source_document != name)
    told = json_of(run_in(work, "show", source.removesuffix(".tif"), "--json"))
    queries = {plan.name for plan in plans if plan.reuse and plan.reuse.source_document == source}
    assert queries <= {mention["query_document"] for mention in told["as_match"] if mention["rank"] == 1}
    printed = run_in(work, "show", source)
    assert printed.returncode == 0
    assert "Results: as match" in printed.stdout


def test_a_rejected_document_tells_its_reason_and_an_unknown_one_is_an_error(work):
    rejected = run_in(work, "show", "broken.tif")
    unknown = run_in(work, "show", "../../etc/passwd")

    assert rejected.returncode == 0
    assert "reason    E_" in rejected.stdout
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "etc/passwd" in unknown.stderr


def test_commands_and_runs_stand_in_the_log(work):
    log = (work / "applog" / "doc_assets.log").read_text(encoding="utf-8")

    assert "doc-assets build-image-index began" in log
    assert "doc-assets build-image-index ended with exit code 1" in log
    assert "ingest_drop_job" in log
    assert 'Finished execution of run for "ingest_drop_job"' in log


def test_maintenance_says_what_would_go_and_then_deletes_it(work):
    old = work / "appdata" / "results" / "old-run" / "report.html"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"12345")
    os.utime(old, (0, 0))

    dry = run_in(work, "maintain", "--dry-run", "--json")
    assert (dry.returncode, old.exists()) == (0, True)
    real = run_in(work, "maintain")

    assert json_of(dry)["kinds"]["reports and evidence"] == {"n": 1, "size_bytes": 5}
    assert str(old.parent) in json_of(dry)["paths"]
    assert (real.returncode, old.parent.exists()) == (0, False)
    assert "1 things, 5 bytes went." in real.stdout
    assert run_in(work, "check").returncode == 0


def test_the_maintenance_job_deletes_no_materialization(work, monkeypatch):
    from doc_assets.defs.maintenance import maintenance_job
    from doc_assets.runtime import Runtime
    from doc_assets.settings import Settings

    values = {name: value for name, value in dotenv_values(work / ".env").items() if name.startswith("DOC_ASSETS_")}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    old = work / "appdata" / "results" / "another-run" / "report.html"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"123")
    os.utime(old, (0, 0))
    resources = {"runtime": Runtime(Settings())}

    for dry_run in (True, False):
        config = {"ops": {"delete_what_is_too_old": {"config": {"dry_run": dry_run}}}}
        assert maintenance_job.execute_in_process(run_config=config, resources=resources).success
        assert old.exists() == dry_run
    with dg.DagsterInstance.from_config(str(work / "appdata" / "dagster")) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("documents")) == {"bulk-000001", "bulk-000002"}


def test_models_are_added_listed_and_verified(tmp_path):
    run_in(tmp_path, "init")
    vit = save_vit(tmp_path / "tiny-vit")
    options = {"DOC_ASSETS_EMBEDDER": "transformers", "DOC_ASSETS_EMBEDDER_OPTIONS": '{"checkpoint": "tiny-vit"}'}

    added = run_in(tmp_path, "models", "add", "tiny-vit")
    listed = json_of(run_in(tmp_path, "models", "list", "--json", **options))
    assert added.returncode == 0, added.stderr
    assert '{"checkpoint": "tiny-vit"}' in added.stdout
    assert [(model["name"], model["used_by"]) for model in listed] == [("tiny-vit", ["embedder"])]
    assert run_in(tmp_path, "models", "verify").returncode == 0
    assert "transformers-" in json_of(run_in(tmp_path, "status", "--json", **options))["embedder"]

    weights = tmp_path / "appdata" / "models" / "tiny-vit" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    changed = run_in(tmp_path, "models", "verify", "tiny-vit")
    assert changed.returncode == 1
    assert "model.safetensors has SHA-256" in changed.stdout
    assert run_in(tmp_path, "models", "verify", "other").returncode == 2
    (vit / "pytorch_model.bin").write_bytes(b"x")
    assert run_in(tmp_path, "models", "add", "tiny-vit", "--name", "unsafe").returncode == 2


@pytest.mark.whole
def test_a_hub_model_is_fetched_at_its_commit_without_what_is_not_kept(tmp_path):
    program = Program(tmp_path)  # as processes: the hub's library reads its address when it is imported
    program("init")
    remote = save_vit(tmp_path / "remote")
    (remote / "pytorch_model.bin").write_bytes(b"never asked for")
    (remote / "run_me.py").write_text("raise SystemExit", encoding="utf-8")
    with running_hub("owner/vit", remote) as (address, asked):
        online = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
        done = program.process("models", "add", "owner/vit", "--json", **online)
    away = program.process("models", "add", "owner/vit2", HF_HUB_OFFLINE="1")

    assert done.returncode == 0, done.stderr
    assert json_of(done)["model"]["source"] == f"hub:owner/vit@{COMMIT}"
    assert not [path for path in asked if path.endswith((".bin", ".py"))]
    models = tmp_path / "appdata" / "models"
    assert sorted(path.name for path in models.iterdir() if not path.name.startswith(".lock")) == ["vit"]
    assert not [path for path in (models / "vit").rglob("*") if path.suffix in {".bin", ".py"}]
    assert run_in(tmp_path, "models", "verify").returncode == 0
    assert away.returncode == 2
    assert "Without a network" in away.stderr
