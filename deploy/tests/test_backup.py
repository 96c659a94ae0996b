"""Backup, volumes destroyed, restore, on a real engine: equal counts and the same answers."""

import json
import os
from pathlib import Path

import pytest

from deploy.tests.stack import Stack

QUERIES = "drill"


@pytest.fixture(scope="module")
def drilled(ingested, corpus):
    """The session's stack, whose volumes the first test destroys; this module runs last."""
    ingested.compose("--profile", "backup", "--profile", "restore", "build", timeout_s=1500)
    ingested.offer(QUERIES, (corpus / "incoming").iterdir())
    yield ingested
    ingested.run("docker", "volume", "rm", f"{ingested.name}_backups", check=False)  # only services by hand name it


def _in(stack: Stack, *command: str) -> str:
    return stack.compose("exec", "-T", "user-code", "doc-assets", *command)


def _once(stack: Stack, service: str, *command: str) -> str:
    return stack.compose("run", "--rm", "-T", service, "doc-assets", *command)


def _counts(stack: Stack) -> dict[str, object]:
    found = json.loads(_in(stack, "status", "--json"))
    return {"counts": found["counts"], "points": found["points"], "stale": found["stale_drops"]}


def _answers(stack: Stack, name: str) -> dict[str, object]:
    output = f"/var/lib/doc-assets/results/{name}"
    _in(stack, "search-doc", "--folder", f"/queries/{QUERIES}", "--output-folder", output)
    text = stack.compose("exec", "-T", "user-code", "cat", f"{output}/search_results_summary.json")
    return {
        query["query_document"]: [(top["document"], round(top["score"], 4)) for top in query["top_docs"]]
        for query in json.loads(text)["per_query"]
    }


def test_destroyed_volumes_come_back_with_equal_counts_and_the_same_answers(drilled):
    before, answers = _answers_and_counts(drilled, "before")
    made = json.loads(_once(drilled, "backup", "backup", "--to", "/backups", "--json"))
    name = Path(made["folder"]).name
    _once(drilled, "backup", "verify-backup", f"/backups/{name}")

    drilled.down()
    assert (drilled.folder / "backups" / name / "manifest.json").is_file()
    said = _once(drilled, "restore", "restore", f"/backups/{name}", "--yes-restore-into", "doc-assets", "--json")
    drilled.up()

    report = json.loads(said[said.index("{") :])
    assert report["counts"]["documents"] == before["counts"]["current"] > 5
    after, again = _answers_and_counts(drilled, "after")
    assert len(answers) >= 20
    assert again == answers
    assert after == before
    _in(drilled, "check", "--read-data")
    assert drilled.sql("SELECT count(*) FROM runs WHERE status = 'STARTED'", "dagster") == [["0"]]


def _answers_and_counts(stack: Stack, name: str) -> tuple[dict[str, object], dict[str, object]]:
    return _counts(stack), _answers(stack, name)


def test_the_tables_of_a_restored_stack_have_the_rights_of_those_before(drilled):
    assert drilled.sql("SELECT tableowner, count(*) > 5 FROM pg_tables WHERE schemaname = 'public' GROUP BY 1") == [
        ["ledger_migrator", "t"]
    ]
    for role, right, wanted in [
        ("ledger", "UPDATE", "t"), ("ledger", "TRUNCATE", "f"), ("ledger_reader", "SELECT", "t"),
        ("ledger_reader", "INSERT", "f"),
    ]:  # fmt: skip
        found = drilled.sql(f"SELECT has_table_privilege('{role}', 'documents', '{right}')")
        assert found == [[wanted]], (role, right)
    for table, right, wanted in [
        ("documents", "SELECT", "t"), ("documents", "UPDATE", "f"), ("verdicts", "INSERT", "t"),
        ("verdicts", "UPDATE", "f"), ("desk.auth_user", "UPDATE", "t"), ("desk.auth_user", "TRUNCATE", "f"),
    ]:  # fmt: skip
        found = drilled.sql(f"SELECT has_table_privilege('desk', '{table}', '{right}')")
        assert found == [[wanted]], (table, right)
    assert drilled.sql("SELECT has_schema_privilege('ledger', 'desk', 'USAGE')") == [["f"]]


def test_a_backup_without_a_store_is_refused(drilled):
    kept = sorted(path.name for path in (drilled.folder / "backups").iterdir())
    drilled.compose("exec", "-T", "user-code", "mv", "/var/lib/doc-assets/qdrant", "/var/lib/doc-assets/qdrant.away")
    try:
        command = ["run", "--rm", "-T", "backup"]
        refused = drilled.compose_done(*command)
        assert refused.returncode == 2
        assert "rebuild-index" in refused.stderr + refused.stdout
        assert sorted(path.name for path in (drilled.folder / "backups").iterdir()) == kept
        rebuilt = json.loads(_in(drilled, "rebuild-index", "--json"))["collection"]
        assert rebuilt["points"] == rebuilt["expected"] > 5
        _in(drilled, "check")
    finally:
        drilled.compose("exec", "-T", "user-code", "rm", "-rf", "/var/lib/doc-assets/qdrant.away")


def test_both_services_are_hardened_and_only_one_holds_the_owners_password(files):
    text = files.compose("--profile", "backup", "--profile", "restore", "config", "--format", "json")
    services = json.loads(text)["services"]

    for name in ("backup", "restore"):
        service = services[name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "no"
        assert int(service["mem_limit"]) > 0
        assert list(service["networks"]) == ["data"]
    holders = {
        name
        for name, service in services.items()
        if any(mount["source"] == "config-migrate" and mount.get("read_only") for mount in service.get("volumes", []))
    }
    assert holders == {"migrate", "restore"}
    seeing = {
        name
        for name, service in services.items()
        if any(mount["source"] == "backups" for mount in service.get("volumes", []))
    }
    assert seeing == {"backup", "restore"}
    assert "backup" not in json.loads(files.compose("config", "--format", "json"))["services"]


def test_the_image_has_the_programs_of_its_server(drilled):
    def version(service: str, *command: str) -> int:
        said = drilled.compose("exec", "-T", service, *command)
        return int(said.split("(PostgreSQL)")[1].split(".")[0])

    assert version("user-code", "pg_dump", "--version") >= version("postgres", "postgres", "--version")


def _results(stack: Stack) -> int:
    return int(stack.sql("SELECT count(*) FROM search_results")[0][0])


@pytest.mark.more
def test_a_restore_beside_the_running_stack_brings_back_what_was(drilled):
    before, n_results = _counts(drilled), _results(drilled)
    made = json.loads(_once(drilled, "backup", "backup", "--to", "/backups", "--json"))
    _answers(drilled, "later")
    assert _results(drilled) > n_results

    drilled.compose("stop", "daemon", "user-code", "webserver", "webserver-view")
    backup = f"/backups/{Path(made['folder']).name}"
    _once(drilled, "restore", "restore", backup, "--yes-restore-into", "doc-assets")
    drilled.up()

    assert _results(drilled) == n_results
    assert _counts(drilled) == before
    _in(drilled, "check", "--read-data")


@pytest.mark.more
def test_one_file_carries_a_stack_to_a_machine_with_other_secrets(drilled, tmp_path_factory):
    before, answers = _answers_and_counts(drilled, "carried")
    _once(drilled, "backup", "export-stack", "/backups/stack.tar")
    backups = str(drilled.folder / "backups")
    there = Stack(tmp_path_factory.mktemp("there"), STACK_PROJECT=f"{drilled.name}-there", STACK_BACKUPS=backups)
    assert not set(there.passwords()) & set(drilled.passwords())
    there.offer(QUERIES, (drilled.queries / QUERIES).iterdir())
    try:
        _once(there, "restore", "import-stack", "/backups/stack.tar", "--yes-restore-into", "doc-assets")
        there.up()

        assert _answers_and_counts(there, "carried") == (before, answers)
        _in(there, "check", "--read-data")
    finally:
        there.down()
        there.run("docker", "volume", "rm", f"{there.name}_backups", check=False)


@pytest.mark.more
def test_backups_may_go_elsewhere_from_now_on(drilled, tmp_path):
    drilled.compose("run", "--rm", "-T", "backup")
    kept = sorted(path.name for path in (drilled.folder / "backups").iterdir())
    tmp_path.chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, 10001, 10001)
    settings = drilled.env_file.read_text(encoding="utf-8")
    changed = settings.replace(f"STACK_BACKUPS={drilled.folder / 'backups'}", f"STACK_BACKUPS={elsewhere}")
    assert changed != settings
    drilled.env_file.write_text(changed, encoding="utf-8")
    volume = ["docker", "volume", "rm", f"{drilled.name}_backups"]
    try:
        drilled.run(*volume)
        drilled.compose("run", "--rm", "-T", "backup")
        (made,) = elsewhere.glob("*/manifest.json")
    finally:
        drilled.env_file.write_text(settings, encoding="utf-8")
        drilled.run(*volume)

    assert made.stat().st_size
    assert sorted(path.name for path in (drilled.folder / "backups").iterdir()) == kept
