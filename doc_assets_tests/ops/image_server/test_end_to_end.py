"""Documents by key over the API end where a folder ends."""

import json
import shutil

import openpyxl
import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets_tests.ops.image_server.conftest import KEY
from doc_assets_tests.program import Program

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    def command(home, *arguments):
        own = {"HOME": tmp_path / home, "LOG_DIR": tmp_path / f"{home}-log", "DOCUMENT_API_KEY": KEY}
        return Program(tmp_path, {f"DOC_ASSETS_{name}": str(value) for name, value in own.items()})(*arguments)

    return command


def _stored(corpus, folder):
    """The corpus under names of the archive, two documents a key; returns the keys of both parts."""
    keys = {}
    for part, year in (("archive", 2023), ("incoming", 2024)):
        (folder / part).mkdir(parents=True)
        keys[part] = []
        for number, path in enumerate(sorted((corpus / part).glob("*.tif"))):
            name = f"N{year}0101THA001{number // 2:05d}_{number % 2 + 1}.tif"
            shutil.copy(path, folder / part / name)
            keys[part].append(f"N{year}0101THA{number // 2:05d}")
    return {part: list(dict.fromkeys(found)) for part, found in keys.items()}


def _table(path, keys):
    book = openpyxl.Workbook()
    book.active.append(["파일명", "업종명"])
    for key in keys:
        book.active.append([key, "미용실"])
    book.save(path)
    return path


def _ranking(folder):
    """What was found for every query, in their order."""
    summary = json.loads((folder / "search_results_summary.json").read_text(encoding="utf-8"))
    return [_without_added(query["top_docs"]) for query in summary["per_query"]]


def _requests(served):
    return sum('"/images"' in line for line in served.log.read_text(encoding="utf-8").splitlines())


def _outcomes(home, source):
    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        return ledger.keys.counts(source), ledger.keys.problems(source, 10)


def test_ingesting_and_searching_by_key_over_the_api_ranks_like_folders(serving, corpus, run, tmp_path):
    keys = _stored(corpus, tmp_path / "files")
    archived = _table(tmp_path / "archive.xlsx", [*keys["archive"], "N20990101THA00009"])
    wanted = _table(tmp_path / "incoming.xlsx", keys["incoming"])
    assert run("folders", "build-image-index", "--folder", tmp_path / "files" / "archive").returncode == 0
    by_folder = run("folders", "search-doc", "--folder", tmp_path / "files" / "incoming", "--output-folder", "one")
    assert by_folder.returncode == 0, by_folder.stdout

    with serving(tmp_path / "files", max_bytes=1 << 30) as served:
        address = f"{served.url}/images"
        source = f"key table archive.xlsx over {address}"
        first = run("api", "build-image-index", "--key-table", archived, "--api-url", address)
        n_first = _requests(served)
        counts, problems = _outcomes(tmp_path / "api", source)
        (tmp_path / "files" / "archive" / "N20990101THA00009.tif").write_bytes(
            next((corpus / "archive").glob("*.tif")).read_bytes()
        )
        served.lookup.refresh()
        second = run("api", "build-image-index", "--key-table", archived, "--api-url", address)
        n_second = _requests(served) - n_first
        counts_now, _ = _outcomes(tmp_path / "api", source)
        (tmp_path / "files" / "archive" / "N20990101THA00009.tif").unlink()
        search = run("api", "search-doc", "--key-table", wanted, "--api-url", address, "--output-folder", "two")

    assert first.returncode == 1
    assert "8 documents, 1 new drops; 8 ok" in first.stdout
    assert counts == {"found": 4, "missing": 1}
    assert (problems[0].key, len(problems[0].correlation_id)) == ("N20990101THA00009", 32)
    failed = [json.loads(line) for line in (tmp_path / "api-log" / "failed_requests.log").read_text().splitlines()]
    assert [(line["key_table_line"], line["status_code"]) for line in failed] == [(problems[0].line, 404)]
    assert failed[0]["correlation_id"] == problems[0].correlation_id
    assert (n_first, n_second) == (9, 1)  # four keys with two documents each, and the missing one; then that alone
    assert second.returncode == 0, second.stdout
    assert "9 documents, 1 new drops; 9 ok" in second.stdout
    assert counts_now == {"found": 5}
    assert search.returncode == 0, search.stdout
    folders, api = _ranking(tmp_path / "one"), _ranking(tmp_path / "two")
    assert len(api) == 6
    assert api == folders


def _without_added(top_docs):
    """A ranking without the document that was added to one home only."""
    return [(doc["document"], doc["score"]) for doc in top_docs if doc["document"] != "N20990101THA00009.tif"][:6]
