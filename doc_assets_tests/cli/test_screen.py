"""Screening and key tables as an operator uses them: real processes, real files."""

import json
import re

import dagster as dg
import pytest

from doc_assets.lab.corpus import IDENTICAL
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.sources.key_tables.table import KEY_COLUMN, MERCHANT_COLUMN


@pytest.fixture(scope="module")
def key_table(run, plans):
    """Merchants by key: one each, but the mirrored photo's document belongs to its source's merchant."""
    merchants = {plan.name: f"10000{number:05d}" for number, plan in enumerate(plans)}
    mirrored = next(plan for plan in plans if plan.reuse and plan.reuse.attack == "mirrored")
    merchants[mirrored.name] = merchants[mirrored.reuse.source_document]
    lines = [f"{KEY_COLUMN},{MERCHANT_COLUMN},업종명"]
    for name, merchant in merchants.items():
        key = re.sub(r"001(\d{5})_\d+\.tif$", r"\1", name)
        lines.append(f"{key},{merchant},=미용실")
    path = run.folder / "keys.csv"
    path.write_text("\n".join(lines), encoding="cp949")
    return path, merchants, mirrored


@pytest.fixture(scope="module")
def ingested(run, corpus, key_table):
    """The archive by keys, of which the incoming documents' have no file there; the incoming documents by folder."""
    keys = ("--key-table", key_table[0])
    said = run.done("build-image-index", *keys, "--search-root", corpus / "archive", "--allow-missing")
    assert "8 documents, 1 new drops; 8 ok" in said
    run.done("build-image-index", "--folder", corpus / "incoming", *keys)


@pytest.fixture(scope="module")
def screened(run, ingested):
    return run.done("screen", "--drop", "bulk-000002")


def _answers(folder):
    summary = json.loads((folder / "search_results_summary.json").read_text(encoding="utf-8"))
    return summary, {answer["query_document"]: answer for answer in summary["per_query"]}


def test_a_screened_drop_has_a_report_that_ranks_it_by_risk(screened, run, plans, key_table):
    _, merchants, mirrored = key_table
    folder = run.home / "results" / "drops" / "bulk-000002"
    summary, answers = _answers(folder)

    for plan in plans:
        if plan.folder != "incoming":
            continue
        answer = answers[plan.name]
        assert answer["merchant_id"] == merchants[plan.name]
        assert answer["flagged"] == (plan.reuse is not None and plan is not mirrored), plan.name
        if plan.reuse is not None:
            best = answer["top_docs"][0]
            assert (best["document"], best["merchant_id"]) == (
                plan.reuse.source_document,
                merchants[plan.reuse.source_document],
            )
            assert best["same_merchant"] == (plan is mirrored)
    assert summary["global"]["n_flagged"] == 4
    page = (folder / "report.html").read_text(encoding="utf-8")
    places = [
        page.index(f">{plan.name}<") for plan in plans if plan.folder == "incoming" and answers[plan.name]["flagged"]
    ]
    assert max(places) < page.index(f">{mirrored.name}<")
    evidence = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "evidence").iterdir()}
    assert "data:image/jpeg;base64," in evidence[mirrored.name.removesuffix(".tif")]


def test_the_same_merchants_photo_is_shown_with_its_reason_and_not_counted(screened, run, key_table):
    _, answers = _answers(run.home / "results" / "drops" / "bulk-000002")

    answer = answers[key_table[2].name]
    (reason,) = answer["reasons"]
    assert (reason["code"], reason["counts"]) == ("own_photo_again", False)
    assert answer["top_docs"][0]["n_matched_photos"] == 1
    assert answer["risk_score"] < 0.5


def test_a_search_knows_merchants_by_the_table_too(ingested, run, corpus, key_table, tmp_path, plans):
    path, _, mirrored = key_table
    identical = next(plan for plan in plans if plan.reuse and plan.reuse.attack == IDENTICAL)
    files = ["--file", corpus / "incoming" / mirrored.name, "--file", corpus / "incoming" / identical.name]

    assert run("search-doc", *files, "--output-folder", tmp_path / "with", "--key-table", path).returncode == 0
    assert run("search-doc", *files, "--output-folder", tmp_path / "without").returncode == 0

    _, known = _answers(tmp_path / "with")
    _, unknown = _answers(tmp_path / "without")
    assert (known[mirrored.name]["flagged"], unknown[mirrored.name]["flagged"]) == (False, True)
    assert known[identical.name]["risk_score"] == unknown[identical.name]["risk_score"] == 1
    ranking = [[found["document"] for found in answers[mirrored.name]["top_docs"]] for answers in (known, unknown)]
    assert ranking[0] == ranking[1]
    assert (tmp_path / "with" / "report.html").exists()


def test_the_self_test_stands_in_the_instance(screened, run):
    with dg.DagsterInstance.from_config(str(run.home / "dagster")) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(job_name="screen_drop_job"))
        events = instance.get_records_for_run(run.run_id).records
    checks = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in events
        if record.event_log_entry.dagster_event is not None
        and record.event_log_entry.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    (found,) = [check for check in checks if check.check_name == "planted_copy_is_found"]
    assert found.metadata["planted"].value == 13
    assert found.metadata["recall"].value >= 0.8


def test_a_drop_that_does_not_exist_and_a_table_that_is_none_are_named(ingested, run, corpus, tmp_path):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")

    unknown = run("screen", "--drop", "bulk-000009")
    bad = run("build-image-index", "--folder", corpus / "archive", "--key-table", tmp_path / "bad.csv")

    assert (unknown.returncode, "bulk-000009" in unknown.stderr) == (2, True)
    assert (bad.returncode, "파일명" in bad.stderr) == (2, True)
    assert run("screen").returncode == 2


def test_a_search_by_keys_ranks_as_one_by_folder_and_tells_what_the_table_says(
    ingested, run, corpus, key_table, tmp_path, plans
):
    path, merchants, _ = key_table
    by_folder = run("search-doc", "--folder", corpus / "incoming", "--output-folder", tmp_path / "folder")
    by_key = run(
        *("search-doc", "--key-table", path, "--search-root", corpus / "incoming", "--output-folder", tmp_path / "key")
    )

    assert by_folder.returncode == 0, by_folder.stdout
    assert by_key.returncode == 1  # keys of the archive's documents have no file among the incoming ones
    _, wanted = _answers(tmp_path / "folder")
    _, found = _answers(tmp_path / "key")
    for name, answer in wanted.items():
        ranking = [(top["document"], top["score"]) for top in answer["top_docs"]]
        assert ranking == [(top["document"], top["score"]) for top in found[name]["top_docs"]]
        assert found[name]["merchant_id"] == merchants[name]
        assert found[name]["key_metadata"] == {"업종명": "=미용실", MERCHANT_COLUMN: merchants[name]}
    missing = [answer for name, answer in found.items() if name not in wanted]
    assert len(missing) == sum(plan.folder == "archive" for plan in plans)
    assert all("no file of this key" in answer["error"] and answer["state"] == "rejected" for answer in missing)
    table = (tmp_path / "key" / "results.csv").read_text(encoding="utf-8-sig")
    assert "'=미용실" in table
    assert ',"=미용실' not in table


def test_documents_of_the_own_merchant_are_left_out_when_asked(ingested, run, corpus, key_table, tmp_path):
    path, merchants, mirrored = key_table
    query = corpus / "incoming" / mirrored.name
    asked = ("search-doc", "--file", query, "--key-table", path, "--output-folder")
    run(*asked, tmp_path / "shown")
    run(*asked, tmp_path / "left-out", "--exclude-own-merchant")

    shown = _answers(tmp_path / "shown")[1][mirrored.name]["top_docs"]
    left_out = _answers(tmp_path / "left-out")[1][mirrored.name]["top_docs"]
    own = merchants[mirrored.name]
    assert shown[0]["merchant_id"] == own
    assert left_out
    assert all(top["merchant_id"] != own for top in left_out)


def test_keys_can_be_resolved_without_reading_a_document(run, corpus, key_table, tmp_path):
    asked = ("resolve-keys", "--key-table", key_table[0], "--search-root", corpus / "archive")
    done = run(*asked, "--manifest", tmp_path / "keys.json")
    both = run(*asked, "--search-root", corpus / "incoming", "--json")

    assert done.returncode == 1
    assert "8 found, 6 missing" in done.stdout
    manifest = json.loads((tmp_path / "keys.json").read_text(encoding="utf-8"))
    states = [entry["state"] for entry in manifest["keys"]]
    assert (states.count("found"), states.count("missing")) == (8, 6)
    assert all(len(entry["files"]) == 1 for entry in manifest["keys"] if entry["state"] == "found")
    assert both.returncode == 0
    assert json.loads(both.stdout)["states"] == {"found": 14}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folder", ".", "--search-root", "."), "exclude each other"),
        ((), "Name a folder"),
        (("--key-table", "keys.csv"), "No archive folder is known"),
        (("--key-table", "keys.csv", "--search-root", ".", "--api-url", "http://x/images"), "exclude each other"),
        (("--key-table", "keys.csv", "--api-url", "ftp://x/images"), "must be http:"),
        (("--folder", "gone"), "does not exist"),
    ],
)
def test_a_request_that_cannot_be_met_exits_2(run, key_table, arguments, message):
    done = run("build-image-index", *arguments)

    assert done.returncode == 2
    assert message in done.stderr


def test_a_document_that_could_not_be_compared_is_named_on_the_terminal_and_a_place_in_the_run(
    screened, run, plans, monkeypatch
):
    bad = next(plan.name for plan in plans if plan.folder == "incoming")
    original = StoredQueries._query

    def query(self, document, *arguments):
        if document.file_name == bad:
            raise RuntimeError("broken here")
        return original(self, document, *arguments)

    with monkeypatch.context() as broken:
        broken.setattr(StoredQueries, "_query", query)
        done = run("screen", "--drop", "bulk-000002")
    run.done("screen", "--drop", "bulk-000002")

    assert done.returncode == 1
    (said,) = [line for line in done.stdout.splitlines() if "could not be searched for or compared in full" in line]
    assert "(places " in said
    assert bad not in said
    (row,) = [line for line in done.stdout.splitlines() if bad in line]
    assert "broken here" in row
