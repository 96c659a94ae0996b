"""The lead's reports in the desk."""

import json
import re

import pytest

from doc_assets.reports.review_report.wording import WORDS
from doc_assets_tests.web.conftest import text_of
from doc_assets_tests.web.home import N_CASES, REPORTED


@pytest.mark.parametrize(("language", "cases"), [("en", "Cases waiting"), ("ko", "미완료 건")])
def test_the_list_leads_to_a_report_in_the_readers_language(desk, language, cases):
    lead = desk.client("lead", language)

    listed = lead.get("/statistics")
    shown = lead.get(f"/statistics/{REPORTED}")

    assert f'href="/statistics/{REPORTED}"' in listed.content.decode()
    assert cases in text_of(listed)
    text = text_of(shown)
    other = "ko" if language == "en" else "en"
    for name in ("summary", "drift", "backlog", "reliability"):
        assert getattr(WORDS[name], language) in text
        assert getattr(WORDS[name], other) not in text.replace("PSI", "")
    assert re.search(rf"(Cases waiting|미완료 건) {N_CASES}\b", text)
    assert desk.actions()[-1] == ("lead", "report.see", f"report {REPORTED}")


def test_a_report_passes_the_desks_policy(desk):
    page = desk.client("lead").get(f"/statistics/{REPORTED}")

    policy, html = page.headers["Content-Security-Policy"], page.content.decode()
    assert "style-src 'self'" in policy
    assert "style=" not in html
    assert "<style" not in html
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg"') >= 2
    assert not re.search(r"<script(?! type=\"module\" src=\"/static/)", html)


@pytest.mark.parametrize("file", ["review.json", "review.xlsx", "review.html"])
def test_files_are_taken_away_and_never_shown(desk, file):
    answer = desk.client("auditor").get(f"/statistics/{REPORTED}/{file}")

    end = file.partition(".")[2]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="review_{REPORTED}.{end}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if end == "json":
        assert json.loads(answer.content)["period"] == REPORTED
    assert desk.actions()[-1] == ("auditor", "report.export", f"report {REPORTED}")


@pytest.mark.parametrize(
    "address",
    [
        "2026-11-01",
        "2026-13",
        "..",
        "%2e%2e",
        "desk.key",
        f"{REPORTED}/evidence",
        f"{REPORTED}/..",
        f"{REPORTED}/x.html",
    ],
)
def test_what_is_no_report_is_not_found(desk, address):
    answer = desk.client("lead").get(f"/statistics/{address}")

    assert answer.status_code == 404
    assert desk.actions() == []


def test_a_report_of_another_version_stands_in_the_list_and_says_so(desk):
    folder = desk.desk.runtime.settings.results_dir / "review" / "2026-10"
    folder.mkdir()
    (folder / "review.json").write_text('{"period": "2026-10"}')
    lead = desk.client("lead")

    listed = text_of(lead.get("/statistics"))

    assert "2026-10 This version cannot read the report" in listed
    assert lead.get("/statistics/2026-10").status_code == 404
    assert "2026-10" not in text_of(lead.get("/statistics?before=2026-10"))


def test_a_desk_without_reports_says_so(desk):
    import shutil

    shutil.rmtree(desk.desk.runtime.settings.results_dir / "review")

    assert "No report was made yet" in text_of(desk.client("lead").get("/statistics"))
