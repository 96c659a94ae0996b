"""``doc-assets find-pages`` as an operator runs it."""

import csv
import io
import json
import shutil
from functools import partial

import pytest

from doc_assets_tests.page_finding import need_tesseract


@pytest.fixture(scope="module", autouse=True)
def _engine():
    need_tesseract()


@pytest.fixture(scope="module")
def folder(corpus, plans, tmp_path_factory):
    """Three documents, one with a name like a formula in a subfolder, and a file that is none."""
    made = tmp_path_factory.mktemp("find") / "documents"
    (made / "below").mkdir(parents=True)
    names = [plan.name for plan in plans if plan.folder == "archive"][:3]
    shutil.copyfile(corpus / "archive" / names[0], made / "=1+1.tif")
    shutil.copyfile(corpus / "archive" / names[1], made / names[1])
    shutil.copyfile(corpus / "archive" / names[2], made / "below" / names[2])
    (made / "broken.tif").write_bytes(b"II*\0 no document")
    return made


@pytest.fixture(scope="module")
def run(run):
    return partial(run, "find-pages")


def test_every_page_is_a_line_of_a_report_without_formulas(run, folder, tmp_path):
    report = tmp_path / "pages.csv"

    done = run("--folder", folder, "--recursive", "--text", "가맹점 실사 사진", "--report", report)

    assert done.returncode == 1  # a document is broken
    assert "broken.tif: E_" in done.stdout
    content = report.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    found = [row for row in rows if row["found"] == "True"]
    assert len({row["document"] for row in found}) == len(found) == 3
    assert {row["text"] for row in found} == {"가맹점 실사 사진"} or all("사진" in row["text"] for row in found)
    assert {row["document"] for row in rows if row["document"].endswith("1.tif")} >= {"'=1+1.tif"}
    assert [row["document"] for row in rows if row["error"]] == ["broken.tif"]


def test_a_readable_folder_is_json_and_exit_0(run, folder):
    done = run(
        "--folder", folder / "below", "--zone", "bottom=0.1", "--zone", "top=0.2", "--mode", "all_words", "--json"
    )

    assert (done.returncode, done.stderr) == (0, "")
    (page,) = [row for row in json.loads(done.stdout) if row["found"]]
    assert page["zone"] == "top=0.2"
    assert page["engine"].startswith("tesseract-")


def test_the_documents_of_a_key_table_are_looked_at_and_its_missing_keys_listed(run, folder, tmp_path):
    name = next(path.name for path in (folder / "below").iterdir())
    (tmp_path / "keys.csv").write_text(f"파일명\n{name}\nN9THA00009\n", encoding="utf-8")

    done = run("--key-table", tmp_path / "keys.csv", "--search-root", folder, "--json")

    rows = json.loads(done.stdout)
    assert done.returncode == 1
    assert {row["document"] for row in rows if row["found"]} == {name}
    assert [row["document"] for row in rows if row["error"]] == ["N9THA00009"]


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--zone", "left=1"], {}, "top=0.15"),
        (["--mode", "fuzzy"], {}, "all_words"),
        (["--engine", "paddle"], {}, "tesseract"),
        (["--text", " - "], {}, "letter"),
        ([], {"DOC_ASSETS_PAGE_TEXT_ENGINE_OPTIONS": '{"model_folder": "/nowhere"}'}, "tesseract-ocr-kor"),
    ],
)
def test_wrong_use_and_missing_models_are_named(run, folder, arguments, environment, message):
    done = run("--folder", folder, *arguments, **environment)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
