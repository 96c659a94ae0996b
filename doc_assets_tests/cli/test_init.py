"""``doc-assets init``, and that every command of the README works in the home that it made."""

import re
import shutil
import subprocess

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from doc_assets.cli import app
from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.home import check_naming, check_table
from doc_assets.reports.case_package import write_package
from doc_assets.settings import load_settings, own_secrets
from doc_assets_tests.page_finding import need_tesseract
from doc_assets_tests.program import PROGRAM, outside_environment
from doc_assets_tests.shared import PROJECT


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A folder in which ``init`` was run, and nothing else says what the settings are."""
    for name in ("DOC_ASSETS_HOME", "DOC_ASSETS_LOG_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init"])
    assert done.exit_code == 0, done.output
    return tmp_path


def test_only_secrets_that_the_product_asks_of_others_are_generated(started):
    values = dotenv_values(started / ".env")

    assert own_secrets() == ["image_api_key"]
    assert set(values) == {"DOC_ASSETS_HOME", "DOC_ASSETS_LOG_DIR", "DOC_ASSETS_IMAGE_API_KEY"}
    assert len(values["DOC_ASSETS_IMAGE_API_KEY"]) >= 40
    assert load_settings().key_insert_token == "001"


def test_the_doctor_is_red_about_a_token_that_an_earlier_init_generated(settings):
    token = "zj0Z8q3v1yqgQm0w5oJcT9l2nC4xK7bR6dF8hS1aU0E"
    generated = check_naming(settings.model_copy(update={"key_insert_token": token}))

    assert generated.level is Level.RED
    assert "DOC_ASSETS_KEY_INSERT_TOKEN" in generated.says
    assert check_naming(settings.model_copy(update={"key_insert_token": "a/b"})).level is Level.RED
    assert check_naming(settings).level is Level.GREEN
    assert check_naming(settings.model_copy(update={"key_insert_token": ""})).level is Level.GREEN


def test_the_doctor_is_red_about_a_rule_that_finds_none_of_the_tables_keys(started, monkeypatch):
    archive = started / "archive"
    archive.mkdir()
    for number in range(3):
        (archive / f"N2024THA0010000{number}_1.tif").write_bytes(b"II*\0")
    table = started / "k.csv"
    table.write_text("파일명,사업자등록번호\n" + "".join(f"N2024THA0000{n},{n}\n" for n in range(3)), encoding="utf-8")
    monkeypatch.setenv("DOC_ASSETS_KEY_TABLE", str(table))
    monkeypatch.setenv("DOC_ASSETS_SEARCH_ROOTS", f'["{archive}"]')
    assert CliRunner().invoke(app, ["resolve-keys", "--key-table", str(table)]).exit_code == 0

    assert check_table(load_settings()).level is Level.GREEN
    monkeypatch.setenv("DOC_ASSETS_KEY_INSERT_TOKEN", "999")
    found = check_table(load_settings())
    assert (found.level, "none of its first 3 keys" in found.says) == (Level.RED, True)
    table.write_text("이름\nx\n", encoding="utf-8")
    assert check_table(load_settings()).level is Level.RED


def _section(path, title):
    return path.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Dagster's, which a process of its own would not raise either
def test_every_command_of_the_readme_works_after_init(started, corpus, monkeypatch):  # noqa: PLR0915
    readme = _section(PROJECT / "README.md", "Use") + _section(PROJECT / "docs" / "operators.md", "Commands")
    named = set(
        re.findall(
            r"(?<=doc-assets )[a-z][a-z-]+|(?<=\| )[a-z]+(?:-[a-z]+)+(?= |\n)|(?<=\| )(?:doctor|restore)", readme
        )
    )
    (started / "in").mkdir()
    for path in sorted((corpus / "archive").iterdir())[:2]:
        shutil.copy(path, "in")
    one = min((started / "in").iterdir())
    first, second = sorted(path.stem for path in (started / "in").iterdir())[:2]
    table = started / "k.csv"
    table.write_text(f"파일명,사업자등록번호\n{first},120-81-47521\n{second},1208147521\n", encoding="utf-8")
    keyed = ["--key-table", "k.csv", "--search-root", "in"]
    used = set()

    def run(*arguments, code=0):
        used.add(arguments[0])
        done = CliRunner().invoke(app, [*map(str, arguments)])
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return " ".join(done.output.split())

    run("resolve-keys", *keyed)
    run("build-image-index", "--folder", "in")
    run("build-image-index", *keyed)
    run("index", "--folder", "in")
    run("search-doc", "--folder", "in", "--output-folder", "out", "--top-doc", 2)
    run("search-doc", *keyed, "--output-folder", "out2")
    run("search", "--file", one, "--output-folder", "out3")
    run("screen", "--all")
    run("groups")
    run("form-pictures")
    run("relabel")
    run("doctor")
    run("config", "show")
    run("list-documents")
    run("show", first)
    run("models", "list")
    run("models", "verify")
    run("reindex", "--embedder", "gist")
    run("maintain", "--dry-run")
    run("status")
    run("check")
    run("explain", first, second)
    run("export-results", "--output", "results.csv")
    run("backup", "--to", "backups")
    run("verify-backup", "backups")
    run("export-stack", "stack.tar")
    run("restore", "backups", "--yes-restore-into", "appdata")
    run("import-stack", "stack.tar", "--yes-restore-into", "appdata")
    run("audit", "--verify")
    about = {"case": 1, "redacted": True, "exported_by": "kim", "exported_at": "2026-11-28T05:00:00+00:00"}
    with (started / "case.zip").open("wb") as target:
        write_package(target, {"case.json": b"{}"}, about)
    run("verify-package", "case.zip")
    run("forget", first, "--yes")
    run("init")
    try:
        need_tesseract()
        run("find-pages", "--folder", "in", "--text", "점검")
    except pytest.skip.Exception:
        used.add("find-pages")
    replaced = []
    monkeypatch.setattr("os.execv", lambda program, arguments: replaced.append(arguments))
    run("ui")
    assert "dev" in replaced[0]
    used.add("people")  # Django is set up once in a process
    subprocess.run([PROGRAM, "people", "list"], env=outside_environment(), check=True)
    used.add("keys")
    subprocess.run([PROGRAM, "keys", "list"], env=outside_environment(), check=True)
    for server in ("serve-images", "serve-metrics", "serve"):
        used.add(server)
        roots = ["--search-root", "in"] if server == "serve-images" else []
        process = subprocess.Popen(
            [PROGRAM, server, "--port", "0", *roots], env=outside_environment(), stdout=subprocess.PIPE, text=True
        )
        try:
            said = process.stdout.readline()
            assert "served on http" in said or "The review desk: http" in said
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert one.exists()
    assert named <= used, named - used
