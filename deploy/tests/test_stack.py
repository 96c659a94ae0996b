"""The whole product on a real engine: files in the inbox become documents, a search behind the proxy finds the copy."""

import json
from pathlib import Path

import pytest

from deploy.tests.stack import Stack, wait_for
from doc_assets.lab.corpus import DocumentPlan


@pytest.fixture(scope="session")
def queried(plans: list[DocumentPlan]) -> list[DocumentPlan]:
    """Two documents: the first re-uses a photo of the archive, the other is honest."""
    incoming = [plan for plan in plans if plan.folder == "incoming"]
    assert [bool(plan.reuse) for plan in incoming[:2]] == [True, False]
    return incoming[:2]


@pytest.fixture(scope="session")
def search_id(ingested: Stack, corpus: Path, queried: list[DocumentPlan]) -> str:
    """A search that was launched behind the proxy and has ended well."""
    folder = ingested.offer("few", [corpus / "incoming" / plan.name for plan in queried])
    config = {"ops": {"match_query_documents": {"config": {"folder": folder}}}}
    run_id = ingested.launch("search_documents_job", config)
    status = wait_for("the search", lambda: ingested.ended(run_id), 300)
    assert status == "SUCCESS"
    return run_id


def test_files_in_the_inbox_are_ingested_by_runs_in_containers_of_their_own(ingested: Stack, corpus: Path):
    rows = ingested.sql("SELECT file_name FROM documents WHERE is_current AND state = 'ok' ORDER BY file_name")
    runs = ingested.sql(
        "SELECT status, count(*) FROM runs WHERE pipeline_name = 'ingest_drop_job' GROUP BY status", "dagster"
    )

    assert [row[0] for row in rows] == sorted(path.name for path in (corpus / "archive").iterdir())
    assert [status for status, _ in runs] == ["SUCCESS"]
    assert len(ingested.run_containers()) >= int(runs[0][1])


def test_a_search_through_the_proxy_finds_the_planted_copy_and_its_results_are_in_postgresql(
    ingested, search_id, queried
):
    rows = ingested.sql(
        f"SELECT query_document, best_document, flagged, n_photos FROM search_results WHERE search_id = '{search_id}'"
    )
    found = {query: (best, flagged) for query, best, flagged, _ in rows}
    planted, honest = queried

    assert found[planted.name] == (planted.reuse.source_document, "t")
    assert found[honest.name][1] == "f"
    assert all(int(row[3]) > 0 for row in rows)


def test_reports_are_served_to_viewers(ingested, search_id):
    with ingested.client("viewer") as client:
        page = client.get(f"/reports/{search_id}/report.html")

    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_containers_of_runs_are_hardened_as_those_of_services_are(ingested, search_id):
    service = ingested.inspect(ingested.container("user-code"))
    runs = [ingested.inspect(container) for container in ingested.run_containers()]

    assert runs
    for run in runs:
        ours, theirs = run["HostConfig"], service["HostConfig"]
        for key in ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "LogConfig", "Privileged", "PidMode", "NetworkMode"):
            assert ours[key] == theirs[key], key
        assert run["Config"]["User"] == service["Config"]["User"] == "10001:10001"
        assert [(one["Name"], one["Soft"], one["Hard"]) for one in ours["Ulimits"]] == [("core", 0, 0)]
        assert [(one["Name"], one["Soft"], one["Hard"]) for one in theirs["Ulimits"]] == [("core", 0, 0)]
        assert ours["Memory"] > 0
        assert ours["PidsLimit"] > 0
        assert ours["NanoCpus"] > 0
        mounts = {(one["Name"], one["Destination"], one["RW"]) for one in service["Mounts"]}
        keys = next(mount for mount in mounts if mount[1] == "/etc/doc-assets")
        fewer = (f"{keys[0]}-runs", *keys[1:])  # runs decode strangers' files: they hold no key too many
        assert {(one["Name"], one["Destination"], one["RW"]) for one in run["Mounts"]} == mounts - {keys} | {fewer}


def test_no_container_runs_as_root_and_none_shows_a_secret(ingested, search_id):
    secrets = ingested.passwords()
    containers = [
        *ingested.containers(f"label=com.docker.compose.project={ingested.config()['name']}"),
        *ingested.run_containers(),
    ]

    assert len(containers) > 9
    for container in containers:
        shown = ingested.inspect(container)
        assert shown["Config"]["User"] not in {"", "0", "root"}, shown["Name"]
        text = json.dumps(shown)
        assert not [secret for secret in secrets if secret in text], shown["Name"]
        if shown["State"]["Running"]:
            processes = ingested.run("docker", "top", container, "-eo", "pid,uid").stdout.splitlines()[1:]
            assert "0" not in {line.split()[1] for line in processes}, shown["Name"]


def test_no_secret_is_in_an_image_layer(ingested):
    secrets = ingested.passwords()
    for image in ("doc-assets:local", "doc-assets-proxy:local", "doc-assets-postgres:local"):
        history = ingested.run("docker", "history", "--no-trunc", image).stdout
        assert not [secret for secret in secrets if secret in history]
    listing = ingested.compose(
        "exec", "-T", "user-code", "find", "/app", "/build", "-name", ".env", "-o", "-name", "secrets", check=False
    )
    assert listing.strip() == ""


def test_the_image_has_neither_compiler_nor_cache_and_says_what_is_in_it(ingested):
    labels = json.loads(ingested.run("docker", "inspect", "doc-assets:local").stdout)[0]["Config"]["Labels"]
    parts = json.loads(ingested.compose("exec", "-T", "user-code", "cat", "/app/sbom.json"))["components"]
    programs = ingested.compose(
        "exec",
        "-T",
        "user-code",
        "sh",
        "-c",
        "command -v gcc cc make pytest; ls -d /root/.cache 2>/dev/null",
        check=False,
    )

    assert labels["org.opencontainers.image.version"]
    assert labels["org.opencontainers.image.revision"]
    assert {"doc-assets", "dagster", "torch"} <= {part["name"].replace("_", "-") for part in parts}
    assert programs.strip() == ""


def test_the_ledgers_roles_may_do_no_more_than_they_need(ingested):
    def may(role: str, statement: str) -> bool:
        command = [
            "psql",
            "-U",
            "postgres",
            "-d",
            "doc_assets",
            "-v",
            "ON_ERROR_STOP=1",
            "-qc",
            f"SET ROLE {role}; BEGIN; {statement}; ROLLBACK",
        ]
        done = ingested.compose(
            "exec",
            "-T",
            "postgres",
            "sh",
            "-c",
            f"{' '.join(_quoted(c) for c in command)} >/dev/null 2>&1 && echo yes",
            check=False,
        )
        return "yes" in done

    assert may("ledger", "UPDATE drops SET n_files = n_files")
    assert not may("ledger", "DROP TABLE search_results")
    assert may("ledger_reader", "SELECT count(*) FROM documents")
    assert not may("ledger_reader", "UPDATE drops SET n_files = n_files")
    assert may("ledger_migrator", "ALTER TABLE drops ADD COLUMN one INT")


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def test_commands_work_in_the_code_server(ingested):
    status = ingested.compose("exec", "-T", "user-code", "doc-assets", "status")
    checked = ingested.compose("exec", "-T", "user-code", "doc-assets", "check")

    assert "6" in status
    assert checked
